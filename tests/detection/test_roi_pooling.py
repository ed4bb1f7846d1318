"""RoI align and its gradient against a plain NumPy loop."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import roi_align, roi_max_pool


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
    """The bins of each region, and the weights of the cells that each bin reads."""
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


@pytest.mark.parametrize("pool", [roi_align, roi_max_pool])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_box_that_is_not_finite_has_features_that_show_it(pool, bad, rng):
    """TensorFlow's own operation would end the program, before the loss could show that the network diverges."""
    features = rng.normal(size=(1, 6, 8, 3)).astype("float32")
    boxes = np.array([BOXES], "float32")
    expected = pool(features, boxes, 16, 3).numpy()
    boxes[0, 1, 2] = bad
    pooled = pool(features, boxes, 16, 3).numpy()
    assert np.isnan(pooled[0, 1]).all()
    np.testing.assert_array_equal(np.delete(pooled, 1, axis=1), np.delete(expected, 1, axis=1))


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


def max_reference(features, boxes, stride, size):
    """Fast R-CNN's layer by the loops of its C++ code, and the cell of each maximum."""
    height, width, channels = features.shape
    pooled = np.zeros((len(boxes), size, size, channels))
    gradient_to = {}
    for region, box in enumerate(boxes):
        x1, y1, x2, y2 = (int(np.floor(corner / stride + 0.5)) for corner in box)
        bin_height, bin_width = (np.float32(max(n, 1)) / np.float32(size) for n in (y2 - y1 + 1, x2 - x1 + 1))
        for i, j in np.ndindex(size, size):
            top, bottom = (
                np.clip(int(n) + y1, 0, height) for n in (np.floor(i * bin_height), np.ceil((i + 1) * bin_height))
            )
            left, right = (
                np.clip(int(n) + x1, 0, width) for n in (np.floor(j * bin_width), np.ceil((j + 1) * bin_width))
            )
            if bottom > top and right > left:
                for channel in range(channels):
                    cells = features[top:bottom, left:right, channel]
                    row, column = np.unravel_index(cells.argmax(), cells.shape)
                    pooled[region, i, j, channel] = cells[row, column]
                    gradient_to[region, i, j, channel] = (top + row, left + column)
    return pooled, gradient_to


@pytest.mark.parametrize("size", [2, 7])
def test_max_pooling_equals_fast_r_cnn_s_loop_in_value_and_gradient(size, rng):
    features = rng.normal(size=(2, 11, 17, 3)).astype("float32")
    boxes = np.array([[*BOXES, [0, 0, 271, 175]], [*BOXES[::-1], [30, 20, 250, 170]]], "float32")
    upstream = rng.normal(size=(*boxes.shape[:2], size, size, 3)).astype("float32")
    with tf.GradientTape() as tape:
        variable = tf.Variable(features)
        pooled = roi_max_pool(variable, boxes, 16, size)
        total = tf.reduce_sum(pooled * upstream)
    gradient = tf.convert_to_tensor(tape.gradient(total, variable)).numpy()
    for image in range(2):
        expected, gradient_to = max_reference(features[image], boxes[image], 16, size)
        np.testing.assert_array_equal(pooled[image], expected.astype("float32"))
        wanted = np.zeros_like(features[image])
        for (region, i, j, channel), (row, column) in gradient_to.items():
            wanted[row, column, channel] += upstream[image, region, i, j, channel]
        np.testing.assert_allclose(gradient[image], wanted, atol=1e-5)


@pytest.mark.parametrize("size", [7, 14])
@pytest.mark.long
def test_bins_of_max_pooling_are_the_same_in_a_graph(size, rng):
    """TensorFlow's optimizer of graphs turns a division by a constant into a product, which is not always equal."""
    sides = np.arange(1, 57, dtype="float32")
    boxes = np.stack([0 * sides, 0 * sides, sides % 5, sides - 1], axis=1)
    features = rng.normal(size=(1, 60, 6, 1)).astype("float32")
    pool = tf.function(lambda features, boxes: roi_max_pool(features, boxes, 1, size), autograph=False)
    pooled = pool(tf.constant(features), tf.constant(boxes[None]))[0]
    np.testing.assert_array_equal(pooled, max_reference(features[0], boxes, 1, size)[0].astype("float32"))


@pytest.mark.long
def test_no_part_of_the_gradient_is_lost_where_many_regions_share_cells(rng):
    """Weights of a sample sum to one, so the gradient's sum is that of the upstream gradient, and repeats exactly."""
    corner = rng.uniform(20, 200, (1, 128, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(100, 300, corner.shape)], axis=2).astype("float32")
    upstream = rng.uniform(0.5, 1.5, (1, 128, 14, 14, 512)).astype("float32")

    @tf.function  # of arguments: TensorFlow would fold a gradient of constants into one
    def gradient(features, boxes, upstream):
        with tf.GradientTape() as tape:
            tape.watch(features)
            pooled = roi_align(features, boxes, 16, 14)
        return tape.gradient(pooled, features, upstream)

    inputs = [tf.constant(array) for array in (np.zeros((1, 38, 38, 512), "float32"), boxes, upstream)]
    first = gradient(*inputs).numpy()
    expected = upstream.sum(axis=(0, 1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(first.sum(axis=(0, 1, 2), dtype=np.float64), expected, rtol=1e-5)
    for _ in range(5):
        np.testing.assert_array_equal(gradient(*inputs), first)
