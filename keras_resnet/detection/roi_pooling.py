"""Features of regions: RoI align (He et al. 2017, *Mask R-CNN*) and RoI max pooling (Girshick 2015, *Fast R-CNN*)."""

import tensorflow as tf

SIZE = 14  # bins along each side, before conv5_1 halves them
OFFSETS = (0.25, 0.75)  # of the samples within a bin, along each side
LEVELS = 4  # RoI max pooling knows the maxima of blocks of 1, 2, 4 and 8 cells, so bins of up to 16


def roi_align(features, boxes, stride: int, size: int = SIZE):
    """Bilinear samples of ``features`` under each box, four in each of ``size`` x ``size`` bins, averaged.

    The transform is exact (``aligned=True``): the center of a feature's cell lies half a cell from its edge. Samples
    up to one cell outside the map take its border, farther ones are zero.

    Args:
        features: ``[batch, height, width, channels]``, any float dtype.
        boxes: float32 ``[batch, regions, 4]``, ``x1, y1, x2, y2`` in pixels of the image.
        stride: pixels between neighbours of ``features``.
        size: bins along each side.

    Returns:
        float32 ``[batch, regions, size, size, channels]``.
    """
    features, boxes = tf.cast(features, tf.float32), tf.cast(boxes, tf.float32)
    batch, regions = tf.shape(boxes)[0], tf.shape(boxes)[1]
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    last = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)  # height, width
    corners = tf.reverse(tf.reshape(boxes, [-1, 2, 2]), [2]) / stride - 0.5 + 1  # y, x in padded cells
    step = (corners[:, 1] - corners[:, 0]) / size
    image = tf.repeat(tf.range(batch), regions)
    pooled = 0.0
    for y in OFFSETS:  # one sample of every bin at a time: a quarter of the memory of all at once
        for x in OFFSETS:
            first = corners[:, 0] + step * [y, x]
            ends = tf.concat([first / last, (first + step * (size - 1)) / last], axis=1)
            pooled += tf.image.crop_and_resize(padded, ends, image, [size, size])
    pooled *= 1 / len(OFFSETS) ** 2
    return tf.reshape(pooled, [batch, regions, size, size, features.shape[-1]])


def roi_max_pool(features, boxes, stride: int, size: int = SIZE):
    """The maxima of ``features`` in each of ``size`` x ``size`` bins of each box, as Fast R-CNN's layer (Sec. 2.1).

    Corners are rounded to cells, both included; bins are rounded outwards, so they may share cells. A bin is covered by
    four blocks whose sides are powers of two, of which the maxima are computed once for the whole map. Arguments and
    result are those of :func:`roi_align`; a bin outside the map is 0. A bin has at most 16 cells along a side.
    """
    features = tf.cast(features, tf.float32)
    batch, regions = tf.shape(boxes)[0], tf.shape(boxes)[1]
    height, width, channels = tf.shape(features)[1], tf.shape(features)[2], features.shape[-1]
    maxima = tf.stack([level for row in _row_maxima(features) for level in _column_maxima(row)])
    flat = tf.reshape(maxima, [-1, channels])
    corners = tf.floor(tf.cast(boxes, tf.float32) / stride + 0.5)
    corners = tf.cast(tf.reshape(corners, [batch * regions, 4]), tf.int32)
    image = tf.repeat(tf.range(batch), regions)
    (top, bottom, rows), (left, right, columns) = (
        _bins(corners[:, i], corners[:, i + 2], size, limit) for i, limit in ((1, height), (0, width))
    )

    def block(y, x):
        level = rows[:, :, None] * LEVELS + columns[:, None, :]
        place = ((level * batch + image[:, None, None]) * height + y[:, :, None]) * width + x[:, None, :]
        return tf.gather(flat, place)

    y_last, x_last = bottom - tf.bitwise.left_shift(1, rows), right - tf.bitwise.left_shift(1, columns)
    there = ((bottom > top)[:, :, None] & (right > left)[:, None, :])[..., None]
    top, left, y_last, x_last = (
        tf.clip_by_value(each, 0, limit - 1)
        for each, limit in ((top, height), (left, width), (y_last, height), (x_last, width))
    )
    upper = tf.maximum(block(top, left), block(top, x_last))
    lower = tf.maximum(block(y_last, left), block(y_last, x_last))
    pooled = tf.where(there, tf.maximum(upper, lower), 0.0)
    return tf.reshape(pooled, [batch, regions, size, size, channels])


POOLING = {"align": roi_align, "max": roi_max_pool}


def _row_maxima(features):
    """Maxima over 1, 2, 4 and 8 rows from each on."""
    found, height = [features], tf.shape(features)[1]
    for level in range(LEVELS - 1):
        padded = tf.pad(found[-1], [[0, 0], [0, 1 << level], [0, 0], [0, 0]])
        found.append(tf.maximum(found[-1], padded[:, 1 << level :][:, :height]))
    return found


def _column_maxima(features):
    return [tf.transpose(each, [0, 2, 1, 3]) for each in _row_maxima(tf.transpose(features, [0, 2, 1, 3]))]


def _bins(first, last, size, limit):
    """Start and end cells of each bin within the map, and the level of the blocks that cover it."""
    extent = tf.cast(tf.maximum(last - first + 1, 1), tf.float32) / size
    steps = tf.range(size + 1, dtype=tf.float32)[None] * extent[:, None]
    start = tf.clip_by_value(tf.cast(tf.floor(steps[:, :-1]), tf.int32) + first[:, None], 0, limit)
    end = tf.clip_by_value(tf.cast(tf.math.ceil(steps[:, 1:]), tf.int32) + first[:, None], 0, limit)
    cells = tf.maximum(end - start, 1)
    level = sum(tf.cast(cells >= 1 << k, tf.int32) for k in range(1, LEVELS))
    return start, end, level
