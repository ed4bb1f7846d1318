"""From scored boxes to few: proposals, detections, and box voting."""

import numpy as np
import tensorflow as tf

from keras_resnet.detection.anchors import decode
from keras_resnet.detection.boxes import Detections, iou
from keras_resnet.detection.defaults import SMALLEST

PROPOSAL_OVERLAP = 0.7
DETECTION_OVERLAP = 0.3
VOTING_OVERLAP = 0.5
STRIDE = 16  # pixels between the cells that anchors stand on


def clip_boxes(boxes, extents):
    """``boxes`` ``[batch, n, 4]`` clipped to images of ``extents`` ``[batch, 2]``, width and height."""
    limits = tf.tile(extents, [1, 2])[:, None]
    return tf.minimum(tf.maximum(boxes, 0.0), limits)


def propose(deltas, scores, anchors, extents, before: int, after: int, smallest: float = SMALLEST):
    """The region proposal network's proposals (Faster R-CNN, Sec. 3.3).

    The ``before`` best anchors are moved and clipped to their image; those with both sides ``smallest`` or longer are
    suppressed at overlap 0.7, and the ``after`` best stay. Anchors of cells in an image's padding take no part, and
    proposals lie inside their image.

    Args:
        deltas, scores: float ``[batch, anchors, 4]`` and ``[batch, anchors]``.
        anchors: ``[anchors, 4]``.
        extents: float32 ``[batch, 2]``, width and height of each image without its padding.

    Returns:
        boxes float32 ``[batch, after, 4]``, scores ``[batch, after]``, and which of them are valid, bool
        ``[batch, after]``.
    """
    corner = (anchors[:, :2] + anchors[:, 2:]) / 2 - STRIDE / 2  # of the anchor's cell
    outside = tf.reduce_any(corner[None] >= extents[:, None], axis=2)
    scores = tf.where(outside, -np.inf, tf.cast(scores, tf.float32))
    scores, best = tf.math.top_k(scores, tf.minimum(before, tf.shape(scores)[1]))
    moved = decode(tf.cast(tf.gather(deltas, best, batch_dims=1), tf.float32), tf.gather(anchors, best))
    boxes = clip_boxes(moved, extents)
    large = tf.reduce_all(boxes[..., 2:] - boxes[..., :2] >= smallest, axis=2) & (scores > -np.inf)
    # TensorFlow sorts its result among zeros that fill it up, so scores below zero would be lost: ranks are above.
    number = tf.shape(boxes)[1]
    rank = tf.where(large, tf.cast(number - tf.range(number), tf.float32), 0.0)
    _, kept, _, count = tf.image.combined_non_max_suppression(
        _swapped(boxes)[:, :, None],
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


def _swapped(boxes):
    """x and y exchanged: TensorFlow's suppression takes ``y1, x1, y2, x2``."""
    return tf.gather(boxes, [1, 0, 3, 2], axis=-1)


def suppress(found: Detections, overlap: float = DETECTION_OVERLAP, most: int = 100) -> Detections:
    """The best of ``found`` class by class, none overlapping a better one of its class by more than ``overlap``."""
    chosen = []
    for each in np.unique(found.classes):
        (places,) = np.nonzero(found.classes == each)
        best = tf.image.non_max_suppression(
            found.boxes[places][:, [1, 0, 3, 2]].astype(np.float32),
            found.scores[places].astype(np.float32),
            len(places),
            overlap,
        )
        chosen.append(places[best.numpy()])
    kept = np.concatenate(chosen) if chosen else np.zeros(0, np.int64)
    kept = kept[np.argsort(-found.scores[kept], kind="stable")][:most]
    return Detections(found.boxes[kept], found.classes[kept], found.scores[kept])


def vote(kept: Detections, found: Detections, overlap: float = VOTING_OVERLAP) -> Detections:
    """``kept`` with each box the mean, weighted by score, of those of ``found`` of its class that overlap it.

    Box voting of Gidaris & Komodakis 2015, as the paper uses it (appendix B); the scores stay.
    """
    if not len(kept.boxes):
        return kept
    voters = (iou(kept.boxes, found.boxes) >= overlap) & (kept.classes[:, None] == found.classes[None])
    weights = voters * found.scores[None]
    return Detections(weights @ found.boxes / weights.sum(axis=1, keepdims=True), kept.classes, kept.scores)
