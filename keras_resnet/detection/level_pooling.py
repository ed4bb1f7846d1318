"""Pooling regions from the levels of a feature pyramid (Lin et al. 2017, *Feature Pyramid Networks*, Sec. 4.2)."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from keras_resnet.detection.boxes import area
from keras_resnet.typing import Tensor

FIRST_LEVEL = 2  # P2, of stride 4
CANONICAL_LEVEL, CANONICAL_SIDE = 4, 224  # a region of ImageNet's size is pooled from P4, of the stride of C4


def level_of(boxes: Tensor, levels: int) -> Tensor:
    """The level from which each region is pooled: eqn. (1), ``floor(4 + log2(sqrt(width x height) / 224))``.

    Args:
        boxes: float32 ``[..., 4]``, in pixels of the resized image.
        levels: how many there are; regions beyond the first or last one belong to it.

    Returns:
        int32 ``[...]``, counted from 0, which is P2.
    """
    side = tf.sqrt(tf.maximum(area(boxes), 0.0))
    octave = tf.floor(CANONICAL_LEVEL - FIRST_LEVEL + tf.math.log(side / CANONICAL_SIDE) / tf.math.log(2.0))
    return tf.cast(tf.clip_by_value(octave, 0.0, levels - 1.0), tf.int32)


def pool_from_levels(
    pool: Callable[..., Tensor], maps: Sequence[Tensor], boxes: Tensor, strides: Sequence[int], size: int
) -> Tensor:
    """Each region's bins, from the map of its level; all from the only one if there is one map.

    Args:
        pool: :func:`~keras_resnet.detection.roi_align`, or another with its arguments.
        maps: of each level, ``[batch, height, width, channels]``.
        boxes: float32 ``[batch, regions, 4]``, in pixels of the image.
        strides: of each map, pixels between neighboring cells.
        size: bins along each side.

    Returns:
        float32 ``[batch, regions, size, size, channels]``.
    """
    if len(maps) == 1:
        return pool(maps[0], boxes, strides[0], size)
    levels, pooled = level_of(boxes, len(maps)), []
    places, before = tf.zeros_like(levels), 0  # of each region among the pooled ones; how many there are
    for number, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        here = levels == number
        counts = tf.cast(here, tf.int32)
        most = tf.maximum(tf.reduce_max(tf.reduce_sum(counts, axis=1)), 1)  # in any image; the others pool some in vain
        first = tf.argsort(1 - counts, axis=1, stable=True)[:, :most]
        pooled.append(pool(features, tf.gather(boxes, first, batch_dims=1), stride, size))
        places = tf.where(here, before + tf.cumsum(counts, axis=1, exclusive=True), places)
        before += most
    return tf.gather(tf.concat(pooled, axis=1), places, batch_dims=1)
