"""Mixup, CutMix and label smoothing as functions of (batch, seed); Keras' layers draw from a state of their own."""

import tensorflow as tf

from keras_resnet.data.augment import fold

SMOOTHING = 0.1  # Szegedy et al. 2016
MIXUP_ALPHA = 0.2  # Zhang et al. 2018
MIXED = 1_000_000_007  # keeps these draws apart from those of the batch's first image


def smooth(labels, classes: int):
    """float32 ``[batch, classes]``: ``SMOOTHING`` of the weight spread over all classes."""
    return tf.one_hot(labels, classes, 1 - SMOOTHING + SMOOTHING / classes, SMOOTHING / classes)


def mixup(images, labels, seed):
    """Each example blended with its neighbour in the batch, by one weight drawn from Beta(0.2, 0.2)."""
    draws = tf.random.stateless_gamma([2], fold(seed, 0), MIXUP_ALPHA) + 1e-20
    kept = draws[0] / tf.reduce_sum(draws)
    return _blend(images, kept), _blend(labels, kept)


def cutmix(images, labels, seed):
    """A rectangle of each image from its neighbour, its share of the area uniform (Yun et al. 2019)."""
    size = tf.shape(images)[1:3]
    side = tf.sqrt(tf.random.stateless_uniform([], fold(seed, 0))) * tf.cast(size, tf.float32)
    center = tf.random.stateless_uniform([2], fold(seed, 1)) * tf.cast(size, tf.float32)
    first = tf.cast(tf.maximum(center - side / 2, 0), tf.int32)
    last = tf.minimum(tf.cast(center + side / 2, tf.int32), size)
    rows, columns = (tf.logical_and(tf.range(size[i]) >= first[i], tf.range(size[i]) < last[i]) for i in (0, 1))
    inside = tf.logical_and(rows[:, None], columns[None, :])[None, :, :, None]
    kept = 1 - tf.reduce_mean(tf.cast(inside, tf.float32))
    return tf.where(inside, tf.roll(images, 1, 0), images), _blend(labels, kept)


def _blend(values, kept):
    return kept * values + (1 - kept) * tf.roll(values, 1, 0)


def mix(classes: int):
    """A function of (batch, seed): labels smoothed, then mixup or CutMix, each for half of the batches."""

    def finish(batch, seed):
        images, labels = batch
        seed = fold(seed, MIXED)
        labels = smooth(labels, classes)
        return tf.cond(
            tf.random.stateless_uniform([], fold(seed, 2)) < 0.5,
            lambda: mixup(images, labels, seed),
            lambda: cutmix(images, labels, seed),
        )

    return finish
