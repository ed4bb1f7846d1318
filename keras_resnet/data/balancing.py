"""Rare classes count as much as common ones: weights of classes in the loss, or photos drawn class by class."""

from collections.abc import Callable

import numpy as np

from keras_resnet.typing import Tensor


def class_weights(labels: np.ndarray, classes: int) -> np.ndarray:
    """Weights of the classes in the loss, float32 ``[classes]``: the inverse of how many photos each has.

    Their mean over the photos is 1, so that the learning rate means what it did.

    Args:
        labels: of the training photos, int ``[photos]``.
        classes: how many there are; one without photos weighs 1.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts > 0, weights, 1).astype(np.float32)


def drawn_evenly(labels: np.ndarray) -> Callable[[Tensor, Tensor], Tensor]:
    """A function that makes of shuffled positions others, of which each class has the same number in every epoch.

    It takes a position and the example's number in the run, scalar int64 tensors, to a position. Each class is gone
    through in an order of its own, again and again, so that its photos come equally often; nothing depends on what was
    drawn before, so a continued run and several workers draw the same.

    Args:
        labels: of the training photos, int ``[photos]``.
    """
    import tensorflow as tf

    shuffled = np.random.default_rng(0).permutation(len(labels))
    order = tf.constant(shuffled[np.argsort(labels[shuffled], kind="stable")], tf.int64)
    present, counts = np.unique(labels, return_counts=True)
    starts, sizes = tf.constant(np.cumsum(counts) - counts, tf.int64), tf.constant(counts, tf.int64)
    share, rest = divmod(len(labels), len(present))

    def draw(position: Tensor, number: Tensor) -> Tensor:
        chosen, place = position % len(present), position // len(present)
        an_epoch = share + tf.cast(chosen < rest, tf.int64)  # photos of that class
        drawn_before = number // len(labels) * an_epoch + place
        return order[starts[chosen] + drawn_before % sizes[chosen]]

    return draw
