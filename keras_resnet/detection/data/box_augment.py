"""Augmentation of photos with boxes, beyond the paper's mirroring: functions of (image, boxes, seed).

Images are float32 ``[height, width, 3]``, 0 to 255, and boxes float32 ``[objects, 4]`` in their pixels. A seed is an
integer tensor of shape ``[2]``; equal seeds give equal results.
"""

from collections.abc import Callable

import tensorflow as tf

from keras_resnet.data.augment import fold
from keras_resnet.data.strong_augment import GREY
from keras_resnet.detection.detector_specs import Augmentation
from keras_resnet.typing import Tensor

Augment = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
SCALES = (0.7, 1.4)  # of the sides
COLOUR = 0.3  # the most by which brightness, contrast and saturation change, as shares
FIRST_SEED = 100  # keeps these draws apart from that of mirroring


def scale_jitter(image: Tensor, boxes: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Resize to between 0.7 and 1.4 of the sides, with a uniform logarithm of the factor."""
    low, high = (tf.math.log(scale) for scale in SCALES)
    factor = tf.exp(tf.random.stateless_uniform([], seed, low, high))
    before = tf.cast(tf.shape(image)[:2], tf.float32)
    sides = tf.maximum(tf.cast(tf.round(factor * before), tf.int32), 1)
    ratio = tf.reverse(tf.cast(sides, tf.float32) / before, [0])
    return tf.image.resize(image, sides, antialias=True), boxes * tf.tile(ratio, [2])


def random_crop(image: Tensor, boxes: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a window out that contains all boxes whole; each of its edges is uniform between the photo's and theirs."""
    height, width = (tf.cast(tf.shape(image)[axis], tf.float32) for axis in (0, 1))
    limits = tf.stack([width, height, width, height])
    around = tf.concat([tf.reduce_min(boxes[:, :2], axis=0), tf.reduce_max(boxes[:, 2:], axis=0)], axis=0)
    around = tf.clip_by_value(tf.concat([tf.floor(around[:2]), tf.math.ceil(around[2:])], axis=0), 0.0, limits)
    photo_edges = tf.stack([0.0, 0.0, width, height])
    edges = tf.round(around + tf.random.stateless_uniform([4], seed) * (photo_edges - around))
    left, top, right, bottom = tf.unstack(tf.cast(edges, tf.int32))
    return image[top:bottom, left:right], boxes - tf.tile(edges[:2], [2])


def colour(image: Tensor, boxes: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
    """Change brightness, contrast and saturation by up to 0.3 each, as mixtures with black, mean grey and grey."""
    bright, contrast, saturation = tf.unstack(tf.random.stateless_uniform([3], seed, 1 - COLOUR, 1 + COLOUR))
    image = bright * image
    grey = tf.reduce_sum(image * tf.constant(GREY), axis=2, keepdims=True)
    image = grey + saturation * (image - grey)
    mean = tf.reduce_mean(grey)
    return tf.clip_by_value(mean + contrast * (image - mean), 0.0, 255.0), boxes


AUGMENTATIONS: dict[Augmentation, Augment] = {"crop": random_crop, "scale": scale_jitter, "colour": colour}


def augmented(image: Tensor, boxes: Tensor, seed: Tensor, chosen: tuple[Augmentation, ...]) -> tuple[Tensor, Tensor]:
    """``image`` and ``boxes`` after the ``chosen`` augmentations, in the order of ``AUGMENTATIONS``."""
    for number, (name, augment) in enumerate(AUGMENTATIONS.items(), start=FIRST_SEED):
        if name in chosen:
            image, boxes = augment(image, boxes, fold(seed, number))
    return image, boxes
