"""RoI align: features of regions at positions that are not rounded (He et al. 2017, *Mask R-CNN*)."""

SAMPLES = 2  # points in each bin along each side


def roi_align(features, boxes, stride: int, size: int = 14):
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
    import tensorflow as tf

    features, boxes = tf.cast(features, tf.float32), tf.cast(boxes, tf.float32)
    batch, regions = tf.shape(boxes)[0], tf.shape(boxes)[1]
    padded = tf.pad(features, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    last = tf.cast(tf.shape(padded)[1:3] - 1, tf.float32)  # height, width
    corners = tf.reverse(tf.reshape(boxes, [-1, 2, 2]), [2]) / stride - 0.5 + 1  # y, x in padded cells
    step = (corners[:, 1] - corners[:, 0]) / (size * SAMPLES)
    first, final = (
        corners[:, 0] + 0.5 * step,
        corners[:, 1] - 0.5 * step,
    )  # crop_and_resize samples from one to the other
    sampled = tf.image.crop_and_resize(
        padded,
        tf.concat([first / last, final / last], axis=1),
        tf.repeat(tf.range(batch), regions),
        [size * SAMPLES, size * SAMPLES],
    )
    pooled = tf.nn.avg_pool2d(sampled, SAMPLES, SAMPLES, "VALID")
    return tf.reshape(pooled, [batch, regions, size, size, features.shape[-1]])
