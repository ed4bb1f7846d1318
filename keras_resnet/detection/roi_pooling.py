"""Region features: RoI align (He et al. 2017, *Mask R-CNN*) and RoI max pooling (Girshick 2015, *Fast R-CNN*)."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.detection.detector_specs import Pooling
from keras_resnet.typing import Tensor

SIZE = 14  # bins along each side; conv5_1 halves them
OFFSETS = (0.25, 0.75)  # of the samples within a bin, along each side
CHUNK = 32  # regions whose gradients are computed together, to bound the memory
LEVELS = 4  # RoI max pooling has the maxima of blocks of 1, 2, 4 and 8 cells, so a bin may have up to 16


def roi_align(features: Tensor, boxes: Tensor, stride: int, size: int = SIZE) -> Tensor:
    """The mean of four bilinear samples of ``features`` in each of ``size`` x ``size`` bins of each box.

    Boxes are not rounded (``aligned=True``): the center of a cell lies half a cell from its edge. Samples up to one
    cell outside the map take the value of its border; those farther away are zero.

    Args:
        features: ``[batch, height, width, channels]``, any float dtype.
        boxes: float32 ``[batch, regions, 4]``, ``x1, y1, x2, y2`` in pixels of the image.
        stride: pixels between neighboring cells of ``features``.
        size: bins along each side.

    Returns:
        float32 ``[batch, regions, size, size, channels]``. No gradient flows to the boxes. A box that is not finite has
        features that are NaN, so that the loss of a network that diverges shows it.
    """
    boxes, finite = _finite(tf.stop_gradient(tf.cast(boxes, tf.float32)))
    share = tf.where(finite, 1 / len(OFFSETS) ** 2, np.nan)

    @tf.custom_gradient
    def pooled(features: Tensor) -> tuple[Tensor, Callable]:
        shape = tf.shape(features)
        values = _samples(features, boxes, stride, size) * share
        return values, lambda upstream: _gradient(upstream, boxes, shape, stride)

    return pooled(tf.cast(features, tf.float32))


def _finite(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """``boxes`` with zeros for those that are not finite, and which are finite, ``[batch, regions, 1, 1, 1]``."""
    finite = tf.reduce_all(tf.math.is_finite(boxes), axis=-1, keepdims=True)
    return tf.where(finite, boxes, 0.0), finite[..., None, None]


def _samples(features: Tensor, boxes: Tensor, stride: int, size: int) -> Tensor:
    """The sums of the samples of each bin."""
    batch, regions = tf.shape(boxes)[0], tf.shape(boxes)[1]
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    last = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)  # height, width
    corners = tf.reverse(tf.reshape(boxes, [-1, 2, 2]), [2]) / stride - 0.5 + 1  # y, x in padded cells
    step = (corners[:, 1] - corners[:, 0]) / size
    image = tf.repeat(tf.range(batch), regions)
    pooled = 0.0
    for y in OFFSETS:  # one sample of every bin at a time takes a quarter of the memory
        for x in OFFSETS:
            first = corners[:, 0] + step * [y, x]
            ends = tf.concat([first / last, (first + step * (size - 1)) / last], axis=1)
            pooled += tf.image.crop_and_resize(padded, ends, image, [size, size])
    return tf.reshape(pooled, [batch, regions, size, size, features.shape[-1]])


def _gradient(upstream: Tensor, boxes: Tensor, shape: Tensor, stride: int) -> Tensor:
    """The features' gradient by matrix products; TensorFlow's own op loses terms, adding in threads without a lock."""
    size, channels = upstream.shape[2], upstream.shape[4]
    height, width = shape[1], shape[2]

    def image_gradient(image: tuple[Tensor, Tensor]) -> Tensor:
        corners, pooled = image[0] / stride - 0.5, image[1]
        down = _weights(corners[:, 1], corners[:, 3], size, height)
        right = tf.transpose(_weights(corners[:, 0], corners[:, 2], size, width), [0, 2, 1])

        def add(start: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            part = slice(start, start + CHUNK)
            rows = tf.matmul(right[part, None], pooled[part])  # [regions, size, width, channels]
            columns = tf.reshape(down[part], [-1, height])
            return start + CHUNK, total + tf.matmul(columns, tf.reshape(rows, [-1, width * channels]), transpose_a=True)

        start = (0, tf.zeros([height, width * channels]))
        _, total = tf.while_loop(lambda n, _: n < tf.shape(pooled)[0], add, start, parallel_iterations=1)
        return tf.reshape(total, [height, width, channels])

    return tf.map_fn(image_gradient, (boxes, upstream), parallel_iterations=1, fn_output_signature=tf.float32)


def _weights(first: Tensor, last: Tensor, size: int, length: Tensor) -> Tensor:
    """The weight of each cell along one side in each bin, ``[regions, size, length]``."""
    step = ((last - first) / size)[:, None, None]
    samples = tf.range(size, dtype=tf.float32)[:, None] + OFFSETS
    place, end = first[:, None, None] + step * samples, tf.cast(length, tf.float32)
    valid = (place >= -1) & (place <= end)
    distance = tf.clip_by_value(place, 0.0, end - 1)[..., None] - tf.range(end)
    return tf.reduce_mean(tf.where(valid[..., None], tf.maximum(0.0, 1 - tf.abs(distance)), 0.0), axis=2)


def roi_max_pool(features: Tensor, boxes: Tensor, stride: int, size: int = SIZE) -> Tensor:
    """The maximum of ``features`` in each of ``size`` x ``size`` bins of each box (Fast R-CNN, Sec. 2.1).

    Arguments and result are those of :func:`roi_align`. Corners are rounded to cells, inclusively, and bins are rounded
    outwards, so neighboring bins may share cells. A bin outside the map is 0, and one has at most 16 cells along a
    side. Each bin is covered by four blocks whose sides are powers of two, whose maxima are computed once for the whole
    map.
    """
    features = tf.cast(features, tf.float32)
    batch, regions = tf.shape(boxes)[0], tf.shape(boxes)[1]
    height, width, channels = tf.shape(features)[1], tf.shape(features)[2], features.shape[-1]
    maxima = tf.stack([level for row in _row_maxima(features) for level in _column_maxima(row)])
    flat = tf.reshape(maxima, [-1, channels])
    boxes, finite = _finite(tf.cast(boxes, tf.float32))
    corners = tf.floor(boxes / stride + 0.5)
    corners = tf.cast(tf.reshape(corners, [batch * regions, 4]), tf.int32)
    image = tf.repeat(tf.range(batch), regions)
    (top, bottom, rows), (left, right, columns) = (
        _bins(corners[:, i], corners[:, i + 2], size, limit) for i, limit in ((1, height), (0, width))
    )

    def block(y: Tensor, x: Tensor) -> Tensor:
        level = rows[:, :, None] * LEVELS + columns[:, None, :]
        place = ((level * batch + image[:, None, None]) * height + y[:, :, None]) * width + x[:, None, :]
        return tf.gather(flat, place)

    y_last, x_last = bottom - tf.bitwise.left_shift(1, rows), right - tf.bitwise.left_shift(1, columns)
    valid = ((bottom > top)[:, :, None] & (right > left)[:, None, :])[..., None]
    top, left, y_last, x_last = (
        tf.clip_by_value(cell, 0, limit - 1)
        for cell, limit in ((top, height), (left, width), (y_last, height), (x_last, width))
    )
    upper = tf.maximum(block(top, left), block(top, x_last))
    lower = tf.maximum(block(y_last, left), block(y_last, x_last))
    pooled = tf.reshape(tf.where(valid, tf.maximum(upper, lower), 0.0), [batch, regions, size, size, channels])
    return tf.where(finite, pooled, np.nan)


POOLING: dict[Pooling, Callable[..., Tensor]] = {"align": roi_align, "max": roi_max_pool}


def _row_maxima(features: Tensor) -> list[Tensor]:
    """The maxima over the 1, 2, 4 and 8 rows that begin at each row."""
    maxima, height = [features], tf.shape(features)[1]
    for level in range(LEVELS - 1):
        padded = tf.pad(maxima[-1], [[0, 0], [0, 1 << level], [0, 0], [0, 0]])
        maxima.append(tf.maximum(maxima[-1], padded[:, 1 << level :][:, :height]))
    return maxima


def _column_maxima(features: Tensor) -> list[Tensor]:
    return [tf.transpose(maxima, [0, 2, 1, 3]) for maxima in _row_maxima(tf.transpose(features, [0, 2, 1, 3]))]


def _bins(first: Tensor, last: Tensor, size: int, limit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The first cell of each bin and the one after its last, within the map, and the level of the covering blocks."""
    extents = tf.range(size + 1) * tf.maximum(last - first + 1, 1)[:, None]
    # in whole numbers, because a graph turns the quotient x / size into x * (1 / size), which rounds differently
    down, up = extents[:, :-1] // size, -(-extents[:, 1:] // size)
    start, end = (tf.clip_by_value(first[:, None] + cells, 0, limit) for cells in (down, up))
    cells = tf.maximum(end - start, 1)
    level = sum(tf.cast(cells >= 1 << k, tf.int32) for k in range(1, LEVELS))
    return start, end, level
