"""Faster R-CNN's anchors, and the parameterization of boxes relative to them (Ren et al. 2015, Sec. 3.1)."""

from __future__ import annotations

import math

import numpy as np

from keras_resnet.detection.detector_specs import STRIDES, HeadName, Proposals
from keras_resnet.typing import Tensor

STRIDE = 16  # pixels between neighboring cells of the shared feature map
BASE_SIDE = 16.0  # pixels of an anchor of scale 1
MAX_LOG_GROWTH = math.log(1000 / 16)  # of a side; an untrained network predicts larger ones at random


def make_anchors(
    height: int,
    width: int,
    stride: int = STRIDE,
    scales: tuple[float, ...] = Proposals.scales,
    ratios: tuple[float, ...] = Proposals.ratios,
) -> np.ndarray:
    """The anchors centered on every cell of a feature map of ``height`` x ``width`` cells.

    The anchors of a smaller map are the upper left part of those of a larger one.

    Args:
        height, width: cells of the map.
        stride: pixels between neighboring cells.
        scales: sides of the square anchors in units of 16 pixels.
        ratios: width over height, at equal area, as KerasCV's generator has them.

    Returns:
        float32 ``[height, width, scales x ratios, 4]``, ``x1, y1, x2, y2`` in pixels of the image.
    """
    import keras_cv

    generator = keras_cv.layers.AnchorGenerator(
        "xyxy", sizes=[BASE_SIDE], scales=list(scales), aspect_ratios=list(ratios), strides=[stride], dtype="float32"
    )
    (anchors,) = generator(image_shape=(height * stride, width * stride, 3)).values()
    return np.asarray(anchors).reshape(height, width, len(scales) * len(ratios), 4)


def anchor_sides(proposals: Proposals) -> np.ndarray:
    """Widths and heights in pixels of the anchors on each cell, ``[scales x ratios, 2]``."""
    scales, ratios = (values.ravel() for values in np.meshgrid(proposals.scales, proposals.ratios, indexing="ij"))
    return BASE_SIDE * scales[:, None] * np.stack([np.sqrt(ratios), 1 / np.sqrt(ratios)], axis=1)


def anchor_strides(proposals: Proposals, head: HeadName) -> np.ndarray:
    """Pixels between the cells of each of these anchors' feature map, ``[scales x ratios]``."""
    return np.repeat(STRIDES[head], len(proposals.scales) * len(proposals.ratios) // len(STRIDES[head]))


def spread(cell_anchors: np.ndarray, height: Tensor, width: Tensor, stride: int = STRIDE) -> Tensor:
    """The anchors ``[height x width x n, 4]`` of a feature map: those of its first cell, ``[n, 4]``, on every cell."""
    import tensorflow as tf

    down, right = tf.meshgrid(tf.range(height), tf.range(width), indexing="ij")
    shifts = stride * tf.cast(tf.stack([right, down, right, down], axis=-1), tf.float32)
    return tf.reshape(shifts[:, :, None] + cell_anchors, [-1, 4])


def encode(boxes: Tensor, anchors: Tensor) -> Tensor:
    """``(tx, ty, tw, th)`` of ``boxes`` relative to ``anchors``, all ``[..., 4]``: eqn. (2) of Faster R-CNN."""
    import tensorflow as tf

    (center, side), (anchor_center, anchor_side) = _center_and_side(boxes), _center_and_side(anchors)
    return tf.concat([(center - anchor_center) / anchor_side, tf.math.log(side / anchor_side)], axis=-1)


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """The boxes that ``deltas`` make of ``anchors``, all ``[..., 4]``; no side grows by more than 1000 / 16."""
    import tensorflow as tf

    anchor_center, anchor_side = _center_and_side(anchors)
    center = anchor_center + deltas[..., :2] * anchor_side
    half = anchor_side * tf.exp(tf.minimum(deltas[..., 2:], MAX_LOG_GROWTH)) / 2
    return tf.concat([center - half, center + half], axis=-1)


def _center_and_side(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
