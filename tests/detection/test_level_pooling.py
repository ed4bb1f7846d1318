"""The level of a region and pooling over levels, against equation (1) of Lin et al. 2017 and a loop over regions."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import roi_align, roi_max_pool
from keras_resnet.detection.level_pooling import level_of, pool_from_levels

STRIDES, SIDES = (4, 8, 16, 32), ((32, 40), (16, 20), (8, 10), (4, 5))  # of an image of 128 x 160 pixels


def paper_level(box):
    """P2 to P5 of a region by equation (1), as in the paper, with numbers instead of tensors."""
    width, height = box[2] - box[0], box[3] - box[1]
    return min(max(math.floor(4 + math.log2(math.sqrt(width * height) / 224)), 2), 5)


@pytest.mark.parametrize(
    ("width", "height", "level"),
    [(224, 224, 4), (223.9, 223.9, 3), (112, 112, 3), (111.9, 112, 2), (448, 448, 5), (112, 448, 4), (5000, 5000, 5)],
)
def test_a_region_of_224_pixels_is_pooled_from_p4(width, height, level):
    box = np.array([10.0, 20.0, 10 + width, 20 + height], "float32")
    assert paper_level(box) == level == int(level_of(box, 4)) + 2


def test_levels_of_random_and_empty_regions(rng):
    corner = rng.uniform(0, 300, (200, 2))
    boxes = np.concatenate([corner, corner + np.exp(rng.uniform(1, 7, (200, 2)))], axis=1).astype("float32")
    levels = level_of(boxes, 4).numpy() + 2
    assert levels.tolist() == [paper_level(box.astype(float)) for box in boxes]
    assert set(levels) == {2, 3, 4, 5}
    assert int(level_of(np.array([5.0, 5.0, 5.0, 9.0], "float32"), 4)) == 0


@pytest.mark.long
@pytest.mark.parametrize("pool", [roi_align, roi_max_pool])
def test_each_region_is_pooled_from_its_level_in_value_and_gradient(pool, rng):
    """Two images whose regions lie on different levels, one of which no region of the first image has."""
    maps = [tf.constant(rng.normal(size=(2, *side, 3)), tf.float32) for side in SIDES]
    corner = rng.uniform(0, 60, (2, 9, 2))
    side = np.exp(rng.uniform(2, 6.5, (2, 9, 2)))
    side[0] = np.minimum(side[0], 300)
    boxes = np.concatenate([corner, corner + side], axis=2).astype("float32")
    upstream = rng.normal(size=(2, 9, 3, 3, 3)).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(maps)
        pooled = pool_from_levels(pool, maps, boxes, STRIDES, 3)
        total = tf.reduce_sum(pooled * upstream)
    gradients = tape.gradient(total, maps)
    expected_gradients = [np.zeros(level.shape) for level in maps]
    for image, region in np.ndindex(2, 9):
        level = paper_level(boxes[image, region].astype(float)) - 2
        with tf.GradientTape() as tape:
            tape.watch(maps[level])
            alone = pool(maps[level], boxes[:, region : region + 1], STRIDES[level], 3)[image, 0]
            total = tf.reduce_sum(alone * upstream[image, region])
        np.testing.assert_allclose(pooled[image, region], alone, rtol=1e-5, atol=1e-5)
        expected_gradients[level] += tape.gradient(total, maps[level]).numpy()
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-4)
