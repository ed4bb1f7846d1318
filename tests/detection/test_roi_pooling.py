"""RoI align and its gradient against a plain NumPy loop."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import roi_align


def weights_of(position, length):
    """(index, weight) pairs of bilinear interpolation along one side, by torchvision's rule for borders."""
    if position < -1 or position > length:
        return []
    position = max(position, 0.0)
    low = int(position)
    if low >= length - 1:
        return [(length - 1, 1.0)]
    return [(low, 1 - (position - low)), (low + 1, position - low)]


def reference(features, boxes, stride, size):
    """The bins of each region, and for each the cells it reads with their weights."""
    height, width, _ = features.shape
    pooled = np.zeros((len(boxes), size, size, features.shape[-1]))
    reads = {}
    for region, (x1, y1, x2, y2) in enumerate(np.asarray(boxes, float) / stride - 0.5):
        for i, j in np.ndindex(size, size):
            for a, b in np.ndindex(2, 2):
                y = y1 + (i + (a + 0.5) / 2) * (y2 - y1) / size
                x = x1 + (j + (b + 0.5) / 2) * (x2 - x1) / size
                for row, wy in weights_of(y, height):
                    for column, wx in weights_of(x, width):
                        pooled[region, i, j] += wy * wx / 4 * features[row, column]
                        key = (region, i, j, row, column)
                        reads[key] = reads.get(key, 0) + wy * wx / 4
    return pooled, reads


BOXES = [
    [16, 16, 80, 64],
    [3.7, 5.1, 40.2, 93.9],
    [0, 0, 128, 96],  # the whole map: samples reach half a cell beyond it
    [-40, -40, 30, 20],  # far outside on two sides
    [100, 70, 200, 150],
    [50, 50, 50.5, 50.25],  # smaller than a cell
]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_equal_to_the_loop_in_value_and_gradient(size, rng):
    features = rng.normal(size=(2, 6, 8, 3)).astype("float32")
    boxes = np.array([BOXES, BOXES[::-1]], "float32")
    upstream = rng.normal(size=(2, len(BOXES), size, size, 3)).astype("float32")
    with tf.GradientTape() as tape:
        variable = tf.Variable(features)
        pooled = roi_align(variable, boxes, 16, size)
        total = tf.reduce_sum(pooled * upstream)
    gradient = tape.gradient(total, variable).numpy()
    for image in range(2):
        expected, reads = reference(features[image], boxes[image], 16, size)
        np.testing.assert_allclose(pooled[image], expected, atol=2e-5)
        expected_gradient = np.zeros_like(features[image])
        for (region, i, j, row, column), weight in reads.items():
            expected_gradient[row, column] += weight * upstream[image, region, i, j]
        np.testing.assert_allclose(gradient[image], expected_gradient, atol=2e-4)


def test_dynamic_sizes_and_half_precision(rng):
    features = tf.constant(rng.normal(size=(1, 5, 9, 4)), tf.bfloat16)
    function = tf.function(roi_align).get_concrete_function(
        tf.TensorSpec([None, None, None, 4], tf.bfloat16), tf.TensorSpec([None, None, 4]), 16, 2
    )
    pooled = function(features, tf.constant([BOXES[:2]], tf.float32))
    assert (pooled.dtype, pooled.shape) == (tf.float32, (1, 2, 2, 2, 4))
    expected, _ = reference(features[0].numpy().astype("float32"), BOXES[:2], 16, 2)
    np.testing.assert_allclose(pooled[0], expected, atol=2e-5)
