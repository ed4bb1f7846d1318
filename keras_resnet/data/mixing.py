"""Mixup, CutMix and label smoothing as functions of (batch, seed), unlike Keras' layers, which keep a random state."""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

from keras_resnet.data.augment import fold
from keras_resnet.typing import Tensor

Batch: TypeAlias = tuple[Tensor, Tensor]
Finish: TypeAlias = Callable[[Batch, Tensor], Batch]

SMOOTHING = 0.1  # Szegedy et al. 2016
MIXUP_ALPHA = 0.2  # Zhang et al. 2018
MIX_DRAWS = 1_000_000_007  # separates these draws from those of the batch's first image


def smooth(labels: Tensor, classes: int) -> Tensor:
    """Smoothed labels, float32 ``[batch, classes]``, with ``SMOOTHING`` of the weight spread over all classes."""
    return tf.one_hot(labels, classes, 1 - SMOOTHING + SMOOTHING / classes, SMOOTHING / classes)


def mixup(images: Tensor, labels: Tensor, seed: Tensor) -> Batch:
    """Blend each example with its neighbour in the batch, with one weight drawn from Beta(0.2, 0.2)."""
    draws = tf.random.stateless_gamma([2], fold(seed, 0), MIXUP_ALPHA) + 1e-20
    weight = draws[0] / tf.reduce_sum(draws)
    return _blend(images, weight), _blend(labels, weight)


def cutmix(images: Tensor, labels: Tensor, seed: Tensor) -> Batch:
    """Replace a rectangle of each image by its neighbour's; its area is a uniform share (Yun et al. 2019)."""
    size = tf.shape(images)[1:3]
    side = tf.sqrt(tf.random.stateless_uniform([], fold(seed, 0))) * tf.cast(size, tf.float32)
    center = tf.random.stateless_uniform([2], fold(seed, 1)) * tf.cast(size, tf.float32)
    first = tf.cast(tf.maximum(center - side / 2, 0), tf.int32)
    last = tf.minimum(tf.cast(center + side / 2, tf.int32), size)
    rows, columns = (tf.logical_and(tf.range(size[i]) >= first[i], tf.range(size[i]) < last[i]) for i in (0, 1))
    inside = tf.logical_and(rows[:, None], columns[None, :])[None, :, :, None]
    weight = 1 - tf.reduce_mean(tf.cast(inside, tf.float32))
    return tf.where(inside, tf.roll(images, 1, 0), images), _blend(labels, weight)


def _blend(values, weight):
    return weight * values + (1 - weight) * tf.roll(values, 1, 0)


def mix(classes: int) -> Finish:
    """A function of (batch, seed) that smooths labels, then applies mixup or CutMix, each to half of the batches.

    Of several devices each mixes its share of a batch for itself, see
    :func:`keras_resnet.data.pipelines.training_batches`.
    """

    def finish(batch, seed):
        images, labels = batch
        seed = fold(seed, MIX_DRAWS)
        labels = smooth(labels, classes)
        return tf.cond(
            tf.random.stateless_uniform([], fold(seed, 2)) < 0.5,
            lambda: mixup(images, labels, seed),
            lambda: cutmix(images, labels, seed),
        )

    return finish
