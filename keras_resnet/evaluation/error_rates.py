"""Error rates in percent."""

import keras
from keras import ops

from keras_resnet.errors import InputError


@keras.saving.register_keras_serializable("keras_resnet")
class ErrorRate(keras.metrics.Mean):
    """Top-1 error in percent, of int labels ``[batch]`` and scores ``[batch, classes]``."""

    def __init__(self, name="error", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def wrong(self, labels, scores):
        """One for each example whose label is not the highest score, else zero; float32 ``[batch]``."""
        return ops.cast(ops.not_equal(ops.cast(labels, "int32"), ops.argmax(scores, axis=-1)), "float32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(100 * self.wrong(ops.reshape(y_true, (-1,)), y_pred), sample_weight)


@keras.saving.register_keras_serializable("keras_resnet")
class TopKErrorRate(ErrorRate):
    """Top-k error in percent: an example is right if its label is among the ``k`` highest scores."""

    def __init__(self, k=5, name="top5_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.k = k

    def wrong(self, labels, scores):
        return 1 - ops.cast(ops.in_top_k(ops.cast(labels, "int32"), scores, k=self.k), "float32")

    def get_config(self):
        return {**super().get_config(), "k": self.k}


def check_classes(model, classes: int) -> None:
    """Raise :class:`InputError` unless ``model`` gives one score for each of ``classes``."""
    outputs = model.output_shape[-1]
    if len(model.output_shape) != 2 or outputs != classes:
        raise InputError(
            f"{model.name} gives {outputs} scores and the data has {classes} classes: "
            f"build it with classes={classes}, or use the data it was trained for."
        )


def evaluate(model: keras.Model, batches, classes: int) -> dict[str, float]:
    """The compiled ``model``'s loss and errors over one pass of ``batches``, each example weighted alike."""
    check_classes(model, classes)
    return {name: float(value) for name, value in model.evaluate(batches, verbose=0, return_dict=True).items()}
