"""TrivialAugment and random erasing as functions of (image, seed).

Images are float32 ``[height, width, 3]``; a seed is an integer tensor of shape ``[2]``, and equal seeds give equal
results. Keras' layers do not: there is no TrivialAugment, ``RandAugment`` draws from a state of its own, so that a
continued run would draw other changes, and ``RandomErasing`` takes a seed, but no tensor in a graph, and draws from it
the same numbers for both places and for whether to erase, so that it never erases. KerasCV's layers keep a state too.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from keras_resnet.typing import Tensor

LEVELS = 31
SHEAR, SHIFT, TURN, BLEND = 0.99, 32 / 224, math.radians(135), 0.99  # at the highest level, of the "wide" space
LEAST_BITS = 2
GREY = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
SMOOTH = ((1, 1, 1), (1, 5, 1), (1, 1, 1))  # Pillow's, of sum 13
ERASING = 0.5  # Zhong et al. 2020: how often, which share of the area, and which ratio of the sides
AREAS, RATIOS = (0.02, 0.4), (0.3, 1 / 0.3)
TRIES = 10  # rectangles drawn, of which the first that fits is erased


def trivial_augment(image: Tensor, seed: Tensor) -> Tensor:
    """One change of ``CHANGES``, drawn with its strength (Müller and Hutter 2021, the "wide" space).

    The 32 pixels of the largest shift are of 224, and scale with the image. What comes into the picture is black.

    Args:
        image: levels 0 to 255.
        seed: of the image.
    """
    draws = tf.random.stateless_uniform([3], seed)
    strength = tf.floor(draws[1] * LEVELS) / (LEVELS - 1)
    signed = tf.where(draws[2] < 0.5, -strength, strength)
    number = tf.cast(draws[0] * len(CHANGES), tf.int32)
    changed = tf.switch_case(number, [lambda change=change: change(image, strength, signed) for change in CHANGES])
    return tf.ensure_shape(changed, image.shape)


def erase(image: Tensor, seed: Tensor) -> Tensor:
    """Set a rectangle of the image to zero, half of the time (Zhong et al. 2020).

    Its area is uniform in 2 to 40 % of the image, and the logarithm of the ratio of its sides uniform too. The image is
    one from which the mean was subtracted, so that the rectangle gets the mean colour.
    """
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    draws = tf.random.stateless_uniform([TRIES + 1, 4], seed)
    area, ratio, top, left = tf.unstack(draws[1:], axis=1)
    root = tf.sqrt((AREAS[0] + (AREAS[1] - AREAS[0]) * area) * size[0] * size[1])
    stretch = tf.exp(0.5 * math.log(RATIOS[1]) * (2 * ratio - 1))
    sides = tf.round(tf.stack([root * stretch, root / stretch], axis=1))
    fits = tf.reduce_all(sides <= size, axis=1)
    first = tf.argmax(fits)
    extent = sides[first]
    start = tf.floor(tf.stack([top[first], left[first]]) * (size - extent + 1))
    rows, columns = (_between(start[axis], extent[axis], size[axis]) for axis in (0, 1))
    chosen = (draws[0, 0] < ERASING) & fits[first]
    return tf.where((rows[:, None] & columns[None, :] & chosen)[:, :, None], tf.zeros_like(image), image)


def _between(start: Tensor, extent: Tensor, size: Tensor) -> Tensor:
    places = tf.range(size)
    return (places >= start) & (places < start + extent)


def _transformed(image: Tensor, matrix: Sequence[Sequence[Tensor | float]]) -> Tensor:
    """The image whose pixel at (x, y) from the center is that of ``image`` at ``matrix`` (x, y, 1)."""
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    center = (size - 1) / 2
    (a, b, c), (d, e, f) = matrix
    to_corner_x = c + center[1] - a * center[1] - b * center[0]
    to_corner_y = f + center[0] - d * center[1] - e * center[0]
    transform = tf.stack([a, b, to_corner_x, d, e, to_corner_y, 0.0, 0.0])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=transform[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )[0]


def _blended(image: Tensor, other: Tensor, signed: Tensor) -> Tensor:
    """``image`` or, the more the lower ``signed``, ``other``; above 0 as far away from ``other``."""
    return tf.clip_by_value(other + (1 + BLEND * signed) * (image - other), 0, 255)


def _grey(image: Tensor) -> Tensor:
    return tf.tensordot(image, tf.constant(GREY), 1)[:, :, None]


def _shift(image: Tensor, axis: int, signed: Tensor) -> Tensor:
    return SHIFT * signed * tf.cast(tf.shape(image)[axis], tf.float32)


def shear_x(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _transformed(image, ((1.0, SHEAR * signed, 0.0), (0.0, 1.0, 0.0)))


def shear_y(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _transformed(image, ((1.0, 0.0, 0.0), (SHEAR * signed, 1.0, 0.0)))


def shift_x(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _transformed(image, ((1.0, 0.0, _shift(image, 1, signed)), (0.0, 1.0, 0.0)))


def shift_y(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _transformed(image, ((1.0, 0.0, 0.0), (0.0, 1.0, _shift(image, 0, signed))))


def rotate(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    cosine, sine = tf.cos(TURN * signed), tf.sin(TURN * signed)
    return _transformed(image, ((cosine, sine, 0.0), (-sine, cosine, 0.0)))


def brightness(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _blended(image, tf.zeros_like(image), signed)


def colour(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _blended(image, _grey(image), signed)


def contrast(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return _blended(image, tf.reduce_mean(_grey(image)), signed)


def sharpness(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    kernel = tf.constant(SMOOTH, tf.float32)[:, :, None, None] / 13 * tf.ones([1, 1, 3, 1])
    inner = tf.nn.depthwise_conv2d(image[None], kernel, [1, 1, 1, 1], "VALID")[0]
    border = tf.pad(tf.ones_like(inner, tf.bool), [[1, 1], [1, 1], [0, 0]])
    smooth = tf.where(border, tf.pad(inner, [[1, 1], [1, 1], [0, 0]]), image)
    return _blended(image, smooth, signed)


def posterize(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    step = 2.0 ** tf.round((8 - LEAST_BITS) * strength)
    return tf.floor(image / step) * step


def solarize(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return tf.where(image < 255 * (1 - strength), image, 255 - image)


def stretch(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    """Stretch the levels of each channel to 0 to 255."""
    least, most = (reduce(image, axis=(0, 1), keepdims=True) for reduce in (tf.reduce_min, tf.reduce_max))
    return tf.where(most > least, (image - least) * tf.math.divide_no_nan(255.0, most - least), image)


def equalize(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    """Make the levels of each channel equally frequent, as Pillow does."""
    levels = tf.cast(tf.round(tf.clip_by_value(image, 0, 255)), tf.int32)

    def equalized(channel):
        counts = tf.math.bincount(tf.reshape(channel, [-1]), minlength=256, maxlength=256)
        step = (tf.reduce_sum(counts) - counts[tf.reduce_max(channel)]) // 255
        table = (step // 2 + tf.cumsum(counts, exclusive=True)) // tf.maximum(step, 1)
        return tf.where(step > 0, tf.gather(tf.minimum(table, 255), channel), channel)

    return tf.cast(tf.stack([equalized(channel) for channel in tf.unstack(levels, axis=2)], axis=2), tf.float32)


def unchanged(image: Tensor, strength: Tensor, signed: Tensor) -> Tensor:
    return image


CHANGES = (
    *(unchanged, shear_x, shear_y, shift_x, shift_y, rotate, brightness, colour, contrast, sharpness),
    *(posterize, solarize, stretch, equalize),
)
"""Functions of an image, a strength in [0, 1], and the same with a random sign."""
