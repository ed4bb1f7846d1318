"""Reducing many scored boxes to few: proposals, non-maximum suppression, and box voting."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_resnet.detection.anchors import STRIDE, decode
from keras_resnet.detection.boxes import Detections, iou
from keras_resnet.detection.detector_specs import Proposals
from keras_resnet.typing import Tensor

PROPOSAL_OVERLAP = 0.7
DETECTION_OVERLAP = 0.3
VOTING_OVERLAP = 0.5


def clip_boxes(boxes: Tensor, extents: Tensor) -> Tensor:
    """``boxes`` ``[batch, n, 4]`` clipped to images of ``extents`` ``[batch, 2]``, width and height in pixels."""
    limits = tf.tile(extents, [1, 2])[:, None]
    return tf.minimum(tf.maximum(boxes, 0.0), limits)


class Level(NamedTuple):
    """The anchors of one feature map, and the region proposal network's outputs for them.

    Fields:
        anchors: float32 ``[anchors, 4]``.
        scores: float ``[batch, anchors]``, logits of objectness.
        deltas: float ``[batch, anchors, 4]``.
        stride: pixels between neighboring cells of the map.
    """

    anchors: Tensor
    scores: Tensor
    deltas: Tensor
    stride: int = STRIDE


def propose(
    levels: Sequence[Level], extents: Tensor, counts: tuple[int, int], smallest: float = Proposals.smallest
) -> tuple[Tensor, Tensor, Tensor]:
    """The proposals of the region proposal network (Faster R-CNN, Sec. 3.3), best first.

    The anchors with the highest scores are moved by their deltas and clipped to their image. Those whose sides are at
    least ``smallest`` undergo non-maximum suppression at overlap 0.7, and the best remain. Anchors on cells in an
    image's padding are excluded. With several levels, each has an equal share of the anchors and a suppression of its
    own, and the best of all levels remain (Lin et al. 2017, Sec. 4.1).

    Args:
        levels: of each feature map, the anchors with their scores and deltas.
        extents: float32 ``[batch, 2]``, width and height of each image in pixels, without its padding.
        counts: numbers of boxes before and after suppression.
        smallest: the shortest side of a proposal, in pixels.

    Returns:
        Boxes float32 ``[batch, after, 4]``, their scores float32 ``[batch, after]``, and which of them are valid, bool
        ``[batch, after]``: an image may have fewer.
    """
    before, after = counts
    parts = [_propose(level, extents, before // len(levels), after, smallest) for level in levels]
    if len(parts) == 1:
        return parts[0]
    boxes, scores, valid = (tf.concat(part, axis=1) for part in zip(*parts, strict=True))
    _, best = tf.math.top_k(tf.where(valid, scores, -np.inf), after)
    return tuple(tf.gather(part, best, batch_dims=1) for part in (boxes, scores, valid))


def _propose(level: Level, extents: Tensor, before: int, after: int, smallest: float) -> tuple[Tensor, Tensor, Tensor]:
    """The proposals of one level."""
    anchors, scores, deltas, stride = level
    corner = (anchors[:, :2] + anchors[:, 2:]) / 2 - stride / 2  # of the anchor's cell
    outside = tf.reduce_any(corner[None] >= extents[:, None], axis=2)
    scores = tf.where(outside, -np.inf, tf.cast(scores, tf.float32))
    scores, best = tf.math.top_k(scores, tf.minimum(before, tf.shape(scores)[1]))
    moved = decode(tf.cast(tf.gather(deltas, best, batch_dims=1), tf.float32), tf.gather(anchors, best))
    boxes = clip_boxes(moved, extents)
    large = tf.reduce_all(boxes[..., 2:] - boxes[..., :2] >= smallest, axis=2) & (scores > -np.inf)
    # TensorFlow pads its result with zeros and sorts it, which would lose negative scores: ranks are positive.
    number = tf.shape(boxes)[1]
    rank = tf.where(large, tf.cast(number - tf.range(number), tf.float32), 0.0)
    _, kept, _, count = tf.image.combined_non_max_suppression(
        as_rows_first(boxes)[:, :, None],
        rank[..., None],
        max_output_size_per_class=after,
        max_total_size=after,
        iou_threshold=PROPOSAL_OVERLAP,
        score_threshold=0.5,
        clip_boxes=False,
    )
    valid = tf.range(after)[None] < count[:, None]
    place = tf.where(valid, number - tf.cast(kept, tf.int32), 0)
    return tf.gather(boxes, place, batch_dims=1), tf.gather(scores, place, batch_dims=1), valid


def as_rows_first(boxes: Tensor) -> Tensor:
    """``boxes`` ``[..., 4]`` as ``y1, x1, y2, x2``, the order of TensorFlow's suppression, or back."""
    return tf.gather(boxes, [1, 0, 3, 2], axis=-1)


def suppress(detections: Detections, overlap: float = DETECTION_OVERLAP, count: int = 100) -> Detections:
    """Greedy non-maximum suppression within each class: at most ``count`` detections, best first.

    A detection is dropped if it overlaps a better one of its class by more than ``overlap``.
    """
    survivors = [np.zeros(0, np.int64)]
    for number in np.unique(detections.classes):
        (places,) = np.nonzero(detections.classes == number)
        boxes, scores = (part[places].astype(np.float32) for part in (detections.boxes, detections.scores))
        survivors.append(
            places[tf.image.non_max_suppression(as_rows_first(boxes), scores, len(places), overlap).numpy()]
        )
    places = np.concatenate(survivors)
    return detections.select(places[np.argsort(-detections.scores[places], kind="stable")][:count])


def vote(survivors: Detections, detections: Detections, overlap: float = VOTING_OVERLAP) -> Detections:
    """Box voting of Gidaris & Komodakis 2015, which the paper's box refinement uses (appendix B).

    Each box of ``survivors`` becomes the mean, weighted by score, of all boxes in ``detections`` of the same class that
    overlap it by at least ``overlap``; scores are unchanged.
    """
    if not len(survivors.boxes):
        return survivors
    votes = (iou(survivors.boxes, detections.boxes) >= overlap) & (survivors.classes[:, None] == detections.classes)
    weights = votes * detections.scores[None]
    boxes = weights @ detections.boxes / weights.sum(axis=1, keepdims=True)
    return Detections(boxes, survivors.classes, survivors.scores)
