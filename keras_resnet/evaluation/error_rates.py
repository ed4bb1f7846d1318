"""Error rates in percent."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

NOT_FINITE = "use another checkpoint, or the same weights in float32"  # the end of a message
MAX_NAMED = 3  # photos in a message


def ranks(labels: Tensor, scores: Tensor) -> Tensor:
    """The rank of each label's score, from 0, among the ``scores`` ``[batch, classes]``: int32 ``[batch]``.

    Among equal scores, the first class ranks first. The ranks of scores that are not finite have no meaning.
    """
    labels = ops.cast(labels, "int32")[:, None]
    of_label = ops.take_along_axis(scores, labels, axis=1)
    before = ops.arange(scores.shape[-1], dtype="int32")[None] < labels
    equal = ops.equal(scores, of_label)  # with ``==``, TensorFlow loses the rank where only one batch size is known
    return ops.sum(ops.cast(ops.greater(scores, of_label) | (equal & before), "int32"), axis=1)


@keras.saving.register_keras_serializable("keras_resnet")
class ErrorRate(keras.metrics.Mean):
    """Top-1 error in percent, of scores ``[batch, classes]`` and labels ``[batch]``; NaN if a score is not finite."""

    k = 1

    def __init__(self, name: str = "error", dtype: str = "float32", **kwargs: Any):
        super().__init__(name=name, dtype=dtype, **kwargs)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        y_pred = ops.convert_to_tensor(y_pred)
        wrong = ops.cast(ranks(ops.reshape(y_true, (-1,)), y_pred) >= self.k, "float32")
        finite = ops.all(ops.isfinite(y_pred), axis=-1)
        super().update_state(ops.where(finite, 100 * wrong, math.nan), sample_weight)


@keras.saving.register_keras_serializable("keras_resnet")
class TopKErrorRate(ErrorRate):
    """Top-k error in percent: an example is correct if its label is among the ``k`` highest scores."""

    def __init__(self, k: int = 5, name: str = "top5_error", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.k = k

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k}


def check_classes(model: keras.Model, classes: int) -> None:
    """Raise :class:`InputError` unless ``model`` has one output for each of ``classes``."""
    outputs = model.output_shape[-1]
    if len(model.output_shape) != 2 or outputs != classes:
        raise InputError(
            f"{model.name} gives {outputs} scores and the data has {classes} classes: "
            f"build it with classes={classes}, or use the data it was trained for."
        )


def check_finite(model: str, scores: np.ndarray, photos: Iterable) -> None:
    """Raise :class:`InputError` unless the ``scores`` ``[photos, classes]`` of ``model`` are finite.

    ``photos`` holds the photos' names for the message, in order.
    """
    finite = np.isfinite(scores).all(axis=-1)
    if not finite.all():
        bad = [str(photo) for photo, good in zip(photos, finite, strict=True) if not good]
        named = ", ".join(bad[:MAX_NAMED]) + (" ..." if len(bad) > MAX_NAMED else "")
        raise InputError(
            f"{model} gives scores that are not finite for {len(bad)} of {len(finite)} photos ({named}): {NOT_FINITE}."
        )


def evaluate(model: keras.Model, batches: Iterable, classes: int, photos: str = "these photos") -> dict[str, float]:
    """The loss and errors of a compiled ``model`` in one pass over ``batches``; every example has the same weight.

    Raises:
        InputError: the model has another number of classes, or a value is not finite; the message calls the images
            ``photos``.
    """
    check_classes(model, classes)
    values = {name: float(value) for name, value in model.evaluate(batches, verbose=0, return_dict=True).items()}
    if not all(map(math.isfinite, values.values())):
        raise InputError(f"{model.name} gives scores that are not finite for {photos}: {NOT_FINITE}.")
    return values
