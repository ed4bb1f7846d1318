"""Error rates in percent."""

import math
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from keras_resnet.errors import InputError

NOT_FINITE = "use another checkpoint, or the same weights in float32"  # the ways out
NAMED = 3  # photos


def ranks(labels, scores):
    """How many of the ``scores`` ``[batch, classes]`` come before the one of the label, int32 ``[batch]``.

    Of equal scores the first class comes first. Scores that are not finite have no order: their ranks mean nothing.
    """
    labels = ops.cast(labels, "int32")[:, None]
    own = ops.take_along_axis(scores, labels, axis=1)
    before = ops.arange(scores.shape[-1], dtype="int32")[None] < labels
    equal = ops.equal(scores, own)  # by ``==`` TensorFlow forgets the rank where only one batch size is known
    return ops.sum(ops.cast((scores > own) | (equal & before), "int32"), axis=1)


@keras.saving.register_keras_serializable("keras_resnet")
class ErrorRate(keras.metrics.Mean):
    """Top-1 error in percent, of int labels ``[batch]`` and scores ``[batch, classes]``; NaN if one is not finite."""

    k = 1

    def __init__(self, name="error", dtype="float32", **kwargs):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        wrong = ops.cast(ranks(ops.reshape(y_true, (-1,)), y_pred) >= self.k, "float32")
        finite = ops.all(ops.isfinite(y_pred), axis=-1)
        return super().update_state(ops.where(finite, 100 * wrong, math.nan), sample_weight)


@keras.saving.register_keras_serializable("keras_resnet")
class TopKErrorRate(ErrorRate):
    """Top-k error in percent: an example is right if its label is among the ``k`` highest scores."""

    def __init__(self, k=5, name="top5_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.k = k

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


def check_finite(model: str, scores: np.ndarray, photos: Iterable) -> None:
    """Raise :class:`InputError` unless the ``scores`` ``[photos, classes]`` of ``model`` are finite.

    ``photos`` are what the message calls them, in order.
    """
    finite = np.isfinite(scores).all(axis=-1)
    if not finite.all():
        bad = [str(photo) for photo, good in zip(photos, finite, strict=True) if not good]
        named = ", ".join(bad[:NAMED]) + (" ..." if len(bad) > NAMED else "")
        raise InputError(
            f"{model} gives scores that are not finite for {len(bad)} of {len(finite)} photos ({named}): {NOT_FINITE}."
        )


def evaluate(model: keras.Model, batches, classes: int, photos: str = "these photos") -> dict[str, float]:
    """The compiled ``model``'s loss and errors over one pass of ``batches``, each example weighted alike.

    Raises:
        InputError: the model has other classes, or one of the values is not finite; it calls the images ``photos``.
    """
    check_classes(model, classes)
    values = {name: float(value) for name, value in model.evaluate(batches, verbose=0, return_dict=True).items()}
    if not all(map(math.isfinite, values.values())):
        raise InputError(f"{model.name} gives scores that are not finite for {photos}: {NOT_FINITE}.")
    return values
