"""Which anchors and regions a training step learns from (Faster R-CNN, Sec. 3.1.2 and 3.2; Fast R-CNN, Sec. 2.3).

Boxes are float32 corners in pixels. All images of a batch are padded to the same number of objects: ``object_status``
says what each one is, ``OBJECT``, ``IGNORED`` (crowd or difficult) or ``PADDING``. ``draws`` are uniform random
numbers, so that the same draws give the same sample.
"""

import tensorflow as tf

from keras_resnet.detection.defaults import REGIONS

OBJECT, PADDING, IGNORED = 1, 0, -1
POSITIVE, NEGATIVE, LEFT_OUT = 1, 0, -1
ANCHORS, ANCHOR_SHARE = 256, 0.5
HIGH, LOW = 0.7, 0.3
REGION_SHARE = 0.25
FOREGROUND = 0.5
TIE = 1e-5  # overlaps that differ by rounding are equal
COVERED = 0.5  # share of a background box that an ignored object may cover


def pairwise(boxes, objects):
    """Intersection over union, and over the box, of ``[..., n, 4]`` with ``[..., m, 4]``: two ``[..., n, m]``."""
    corner = tf.maximum(boxes[..., :, None, :2], objects[..., None, :, :2])
    extent = tf.maximum(tf.minimum(boxes[..., :, None, 2:], objects[..., None, :, 2:]) - corner, 0.0)
    shared = extent[..., 0] * extent[..., 1]
    own, theirs = _area(boxes)[..., :, None], _area(objects)[..., None, :]
    return tf.math.divide_no_nan(shared, own + theirs - shared), tf.math.divide_no_nan(shared, own)


def _area(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _sample(candidates, draws, count):
    """``count`` ``[batch]`` of the ``candidates`` ``[batch, n]``, those of the lowest draws; all if there are fewer."""
    order = tf.argsort(tf.where(candidates, draws, 2.0), axis=1, stable=True)
    rank = tf.argsort(order, axis=1, stable=True)
    return candidates & (rank < count[:, None])


def sample_anchors(anchors, boxes, object_status, extents, draws, count: int = ANCHORS):
    """What the region proposal network learns of each anchor.

    An anchor is positive if it overlaps an object by at least 0.7, or overlaps that object more than any other anchor
    does; it is negative if it overlaps every object by less than 0.3. Anchors that cross the image's border are left
    out, and so are negative ones of which an ignored object covers half. At most half of ``count`` are positive.

    Args:
        anchors: ``[anchors, 4]``.
        boxes, object_status: objects ``[batch, objects, 4]``, and what each of them is, int ``[batch, objects]``.
        extents: ``[batch, 2]``, width and height of each image without its padding; None keeps the anchors that cross
            the border.
        draws: ``[batch, anchors]`` in [0, 1).

    Returns:
        int32 ``[batch, anchors]`` labels, ``POSITIVE``, ``NEGATIVE`` or ``LEFT_OUT``, and the number of each anchor's
        object, int32 ``[batch, anchors]``.
    """
    if extents is None:
        inside = tf.ones([1, tf.shape(anchors)[0]], tf.bool)
    else:
        inside = tf.reduce_all((anchors[None, :, :2] >= 0) & (anchors[None, :, 2:] <= extents[:, None]), axis=2)
    overlaps, covered = pairwise(anchors[None], boxes)
    overlaps = tf.where((object_status == OBJECT)[:, None] & inside[:, :, None], overlaps, -1.0)
    best = tf.reduce_max(overlaps, axis=2)
    best_of_object = tf.reduce_max(overlaps, axis=1, keepdims=True)
    is_best = tf.reduce_any((overlaps >= best_of_object - TIE) & (overlaps > 0), axis=2)
    ignored = tf.reduce_any((object_status == IGNORED)[:, None] & (covered >= COVERED), axis=2)
    positive = inside & ((best >= HIGH) | is_best)
    negative = inside & (best < LOW) & ~positive & ~ignored
    batch = tf.shape(boxes)[0]
    positive = _sample(positive, draws, tf.fill([batch], int(count * ANCHOR_SHARE)))
    negative = _sample(negative, draws, count - tf.reduce_sum(tf.cast(positive, tf.int32), axis=1))
    labels = tf.where(positive, POSITIVE, tf.where(negative, NEGATIVE, LEFT_OUT))
    return tf.cast(labels, tf.int32), tf.argmax(overlaps, axis=2, output_type=tf.int32)


def sample_regions(regions, valid, boxes, object_status, classes, draws, count: int = REGIONS):
    """The regions that the detector learns from; the objects themselves are among the candidates.

    A region overlapping an object by half or more is foreground, at most a quarter of ``count``; all others are
    background, but for those that an ignored object covers half.

    Args:
        regions, valid: proposals ``[batch, regions, 4]`` and bool ``[batch, regions]``.
        boxes, object_status, classes: objects ``[batch, objects, 4]``, and int ``[batch, objects]``, classes from 0.
        draws: ``[batch, regions + objects]`` in [0, 1).

    Returns:
        ``[batch, count]`` each: regions (``[..., 4]``), labels int32 (0 for background, a class's number + 1), the
        objects' boxes (``[..., 4]``), and float32 weights, 0 where an image has fewer candidates.
    """
    candidates = tf.concat([regions, boxes], axis=1)
    usable = tf.concat([valid, object_status == OBJECT], axis=1)
    overlaps, covered = pairwise(candidates, boxes)
    overlaps = tf.where((object_status == OBJECT)[:, None], overlaps, -1.0)
    best, match = tf.reduce_max(overlaps, axis=2), tf.argmax(overlaps, axis=2, output_type=tf.int32)
    ignored = tf.reduce_any((object_status == IGNORED)[:, None] & (covered >= COVERED), axis=2)
    batch = tf.shape(boxes)[0]
    foreground = _sample(usable & (best >= FOREGROUND), draws, tf.fill([batch], int(count * REGION_SHARE)))
    left = count - tf.reduce_sum(tf.cast(foreground, tf.int32), axis=1)
    background = _sample(usable & (best < FOREGROUND) & ~ignored, draws, left)
    place = tf.where(foreground, draws, tf.where(background, 1.0 + draws, 3.0))
    order = tf.argsort(place, axis=1, stable=True)[:, :count]
    order = tf.pad(order, [[0, 0], [0, tf.maximum(count - tf.shape(order)[1], 0)]], constant_values=-1)
    drawn, safe = order >= 0, tf.maximum(order, 0)

    def chosen(values):
        return tf.gather(values, safe, batch_dims=1)

    weights = tf.cast(chosen(foreground | background) & drawn, tf.float32)
    labels = tf.where(chosen(foreground), tf.gather(classes, chosen(match), batch_dims=1) + 1, 0)
    labels = tf.where(weights > 0, labels, 0)
    return chosen(candidates), tf.cast(labels, tf.int32), tf.gather(boxes, chosen(match), batch_dims=1), weights
