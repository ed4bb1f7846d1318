"""The anchors and regions that a training step learns from (Faster R-CNN, Sec. 3.1.2 and 3.2; Fast R-CNN, Sec. 2.3).

Boxes are float32 ``x1, y1, x2, y2`` in pixels. All images of a batch are padded to the same number of objects, and
``object_status`` says what each one is: ``OBJECT``, ``IGNORED`` (a crowd or a difficult object) or ``PADDING``.
``draws`` are uniform random numbers; the same draws give the same sample.
"""

import tensorflow as tf

from keras_resnet.detection.boxes import area
from keras_resnet.detection.detector_specs import RegionHead
from keras_resnet.typing import Tensor

OBJECT, PADDING, IGNORED = 1, 0, -1
POSITIVE, NEGATIVE, LEFT_OUT = 1, 0, -1
ANCHORS, POSITIVE_SHARE = 256, 0.5  # anchors sampled in an image, and the share of them that may be positive
POSITIVE_OVERLAP, NEGATIVE_OVERLAP = 0.7, 0.3  # of anchors with objects: at least, and less than
FOREGROUND_SHARE = 0.25  # of the sampled regions
FOREGROUND_OVERLAP = 0.5
TOLERANCE = 1e-5  # overlaps that differ by less count as equal
IGNORED_COVER = 0.5  # a box of which an ignored object covers this share is no background


def pairwise(boxes: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """The overlaps of ``boxes`` ``[..., n, 4]`` with ``objects`` ``[..., m, 4]``.

    Returns:
        Intersection over union, and intersection over the area of the box, two ``[..., n, m]``; 0 for empty boxes.
    """
    corner = tf.maximum(boxes[..., :, None, :2], objects[..., None, :, :2])
    extent = tf.maximum(tf.minimum(boxes[..., :, None, 2:], objects[..., None, :, 2:]) - corner, 0.0)
    shared = extent[..., 0] * extent[..., 1]
    box_areas, object_areas = area(boxes)[..., :, None], area(objects)[..., None, :]
    union = box_areas + object_areas - shared
    return tf.math.divide_no_nan(shared, union), tf.math.divide_no_nan(shared, box_areas)


def _sample(candidates: Tensor, draws: Tensor, count: Tensor) -> Tensor:
    """The ``count`` ``[batch]`` of the ``candidates`` ``[batch, n]`` with the lowest draws; all if there are fewer."""
    order = tf.argsort(tf.where(candidates, draws, 2.0), axis=1, stable=True)
    rank = tf.argsort(order, axis=1, stable=True)
    return candidates & (rank < count[:, None])


def sample_anchors(
    anchors: Tensor, boxes: Tensor, object_status: Tensor, extents: Tensor | None, draws: Tensor, count: int = ANCHORS
) -> tuple[Tensor, Tensor]:
    """Label the anchors from which the region proposal network learns.

    An anchor is positive if its overlap with an object is at least 0.7, or is the highest that any anchor has with that
    object. It is negative if it overlaps every object by less than 0.3. Anchors that cross the image's border are left
    out, and so are negative ones of which an ignored object covers half. At most half of ``count`` are positive.

    Args:
        anchors: float32 ``[anchors, 4]``.
        boxes: float32 ``[batch, objects, 4]``, of the objects.
        object_status: int32 ``[batch, objects]``.
        extents: float32 ``[batch, 2]``, width and height of each image in pixels, without its padding; None also
            takes the anchors that cross the border.
        draws: float32 ``[batch, anchors]`` in [0, 1).
        count: how many anchors of each image are labeled, at most.

    Returns:
        Labels int32 ``[batch, anchors]``, ``POSITIVE``, ``NEGATIVE`` or ``LEFT_OUT``; and the index of the object that
        each anchor overlaps most, int32 ``[batch, anchors]``.
    """
    if extents is None:
        inside = tf.ones([1, tf.shape(anchors)[0]], tf.bool)
    else:
        inside = tf.reduce_all((anchors[None, :, :2] >= 0) & (anchors[None, :, 2:] <= extents[:, None]), axis=2)
    overlaps, covered = pairwise(anchors[None], boxes)
    overlaps = tf.where((object_status == OBJECT)[:, None] & inside[:, :, None], overlaps, -1.0)
    best = tf.reduce_max(overlaps, axis=2)
    best_of_object = tf.reduce_max(overlaps, axis=1, keepdims=True)
    is_best = tf.reduce_any((overlaps >= best_of_object - TOLERANCE) & (overlaps > 0), axis=2)
    positive = inside & ((best >= POSITIVE_OVERLAP) | is_best)
    negative = inside & (best < NEGATIVE_OVERLAP) & ~positive & ~_ignored(object_status, covered)
    batch = tf.shape(boxes)[0]
    positive = _sample(positive, draws, tf.fill([batch], int(count * POSITIVE_SHARE)))
    negative = _sample(negative, draws, count - tf.reduce_sum(tf.cast(positive, tf.int32), axis=1))
    labels = tf.where(positive, POSITIVE, tf.where(negative, NEGATIVE, LEFT_OUT))
    return tf.cast(labels, tf.int32), tf.argmax(overlaps, axis=2, output_type=tf.int32)


def _ignored(object_status: Tensor, covered: Tensor) -> Tensor:
    """Whether an ignored object covers half of each box, bool ``[batch, n]``."""
    return tf.reduce_any((object_status == IGNORED)[:, None] & (covered >= IGNORED_COVER), axis=2)


def sample_regions(
    regions: Tensor,
    valid: Tensor,
    boxes: Tensor,
    object_status: Tensor,
    classes: Tensor,
    draws: Tensor,
    count: int = RegionHead.regions,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample the regions from which the region head learns; the objects themselves are candidates too.

    A region that overlaps an object by at least half is foreground; at most a quarter of ``count`` are. All others are
    background, except those of which an ignored object covers half.

    Args:
        regions, valid: proposals float32 ``[batch, regions, 4]``, and which of them are valid, bool ``[batch,
            regions]``.
        boxes: float32 ``[batch, objects, 4]``, of the objects.
        object_status, classes: int32 ``[batch, objects]``, classes counted from 0.
        draws: float32 ``[batch, regions + objects]`` in [0, 1).
        count: how many regions of each image are sampled.

    Returns:
        The regions float32 ``[batch, count, 4]``; their labels int32 ``[batch, count]``, 0 for background, else the
        class + 1; the boxes of their objects float32 ``[batch, count, 4]``; and weights float32 ``[batch, count]``, 0
        for the padding of an image that has fewer candidates.
    """
    candidates = tf.concat([regions, boxes], axis=1)
    usable = tf.concat([valid, object_status == OBJECT], axis=1)
    overlaps, covered = pairwise(candidates, boxes)
    overlaps = tf.where((object_status == OBJECT)[:, None], overlaps, -1.0)
    best, matches = tf.reduce_max(overlaps, axis=2), tf.argmax(overlaps, axis=2, output_type=tf.int32)
    batch = tf.shape(boxes)[0]
    most = tf.fill([batch], int(count * FOREGROUND_SHARE))
    foreground = _sample(usable & (best >= FOREGROUND_OVERLAP), draws, most)
    remaining = count - tf.reduce_sum(tf.cast(foreground, tf.int32), axis=1)
    background = usable & (best < FOREGROUND_OVERLAP) & ~_ignored(object_status, covered)
    background = _sample(background, draws, remaining)
    priority = tf.where(foreground, draws, tf.where(background, 1.0 + draws, 3.0))
    order = tf.argsort(priority, axis=1, stable=True)[:, :count]
    order = tf.pad(order, [[0, 0], [0, tf.maximum(count - tf.shape(order)[1], 0)]], constant_values=-1)
    present, places = order >= 0, tf.maximum(order, 0)

    def sampled(values: Tensor) -> Tensor:
        return tf.gather(values, places, batch_dims=1)

    weights = tf.cast(sampled(foreground | background) & present, tf.float32)
    labels = tf.where(sampled(foreground), tf.gather(classes, sampled(matches), batch_dims=1) + 1, 0)
    labels = tf.where(weights > 0, labels, 0)
    return sampled(candidates), tf.cast(labels, tf.int32), tf.gather(boxes, sampled(matches), batch_dims=1), weights
