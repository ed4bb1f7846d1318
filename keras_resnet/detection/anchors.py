"""Faster R-CNN's anchors and the coding of boxes against them (Ren et al. 2015, Sec. 3.1)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet.detection.defaults import RATIOS, SCALES

if TYPE_CHECKING:
    import tensorflow as tf

BASE = 16.0
LARGEST_GROWTH = math.log(1000 / 16)  # of a side; what an untrained network asks beyond it is noise


def make_anchors(height: int, width: int, stride: int = 16, scales=SCALES, ratios=RATIOS) -> np.ndarray:
    """Anchors ``[height, width, scales x ratios, 4]`` float32 around every cell of a feature map, in image pixels.

    Those of a smaller map are its upper left part, so one call for the largest serves all.
    """
    import keras_cv

    generator = keras_cv.layers.AnchorGenerator(
        "xyxy", sizes=[BASE], scales=list(scales), aspect_ratios=list(ratios), strides=[stride], dtype="float32"
    )
    (anchors,) = generator(image_shape=(height * stride, width * stride, 3)).values()
    return np.asarray(anchors).reshape(height, width, len(scales) * len(ratios), 4)


def spread(cell_anchors: np.ndarray, height: tf.Tensor, width: tf.Tensor, stride: int) -> tf.Tensor:
    """The anchors ``[height x width x n, 4]`` of a map: those of its first cell ``[n, 4]``, moved to every cell."""
    import tensorflow as tf

    down, right = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    shifts = stride * tf.cast(tf.stack([right, down, right, down], axis=-1), tf.float32)
    return tf.reshape(shifts[:, :, None] + cell_anchors, [-1, 4])


def encode(boxes, anchors):
    """``(tx, ty, tw, th)`` of ``boxes`` against ``anchors``, both ``[..., 4]`` corners: eqn. (2) of Faster R-CNN."""
    import tensorflow as tf

    (center, side), (own_center, own_side) = _center_and_side(boxes), _center_and_side(anchors)
    return tf.concat([(center - own_center) / own_side, tf.math.log(side / own_side)], axis=-1)


def decode(deltas, anchors):
    """The boxes ``[..., 4]`` that ``deltas`` ``[..., 4]`` make of ``anchors``; growth is limited to 1000 / 16."""
    import tensorflow as tf

    own_center, own_side = _center_and_side(anchors)
    center = own_center + deltas[..., :2] * own_side
    half = own_side * tf.exp(tf.minimum(deltas[..., 2:], LARGEST_GROWTH)) / 2
    return tf.concat([center - half, center + half], axis=-1)


def _center_and_side(boxes):
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
