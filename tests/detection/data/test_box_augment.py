"""Augmentation of photos with boxes: boxes stay on their objects, all objects stay, and seeds decide everything."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import ImageSize, TrainingView, detection_batches, open_coco
from keras_resnet.detection.data.box_augment import AUGMENTATIONS, colour, random_crop, scale_jitter
from keras_resnet.weights import Preprocessing

PLAIN = Preprocessing(mean=[0, 0, 0])


def picture(boxes, height=60, width=90):
    """A grey picture whose boxes have a colour of their own each."""
    image = np.full((height, width, 3), 40, np.float32)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2] = [250, 90 + 60 * number, 10]
    return tf.constant(image), tf.constant(boxes, tf.float32)


def colours_in(image, boxes):
    """The colour in the middle of each box, and of all that surrounds the boxes."""
    image, outside = image.numpy(), np.ones(image.shape[:2], bool)
    middles = []
    for x1, y1, x2, y2 in np.asarray(boxes):
        middles.append(image[int((y1 + y2) / 2), int((x1 + x2) / 2)])
        outside[int(max(y1 - 1, 0)) : int(y2 + 2), int(max(x1 - 1, 0)) : int(x2 + 2)] = False
    return np.array(middles), image[outside]


@pytest.mark.parametrize("name", ["crop", "scale"])
def test_boxes_stay_on_their_objects(name):
    image, boxes = picture([(20, 10, 40, 30), (60, 25, 80, 50)])
    shapes = set()
    for seed in range(20):
        changed, moved = AUGMENTATIONS[name](image, boxes, tf.constant([seed, 1]))
        inside, outside = colours_in(changed, moved)
        np.testing.assert_allclose(inside, [[250, 90, 10], [250, 150, 10]], atol=1)
        np.testing.assert_allclose(outside, 40, atol=1)
        assert (moved.numpy() >= 0).all()
        assert (moved.numpy()[:, 2:] <= [changed.shape[1], changed.shape[0]]).all()
        shapes.add(tuple(changed.shape))
    assert len(shapes) > 10


def test_a_crop_reaches_from_the_whole_photo_to_the_objects_alone():
    image, boxes = picture([(20, 10, 40, 30), (60, 25, 80, 50)])
    crop = tf.function(lambda seed: tf.shape(random_crop(image, boxes, seed)[0]), autograph=False)
    crops = [crop(tf.constant([seed, 0])).numpy() for seed in range(200)]
    heights, widths = ([shape[axis] for shape in crops] for axis in (0, 1))
    assert (min(heights), min(widths)) >= (40, 60)  # of the box around both
    assert min(heights) < 44 < 56 < max(heights)
    assert min(widths) < 66 < 84 < max(widths)


def test_boxes_at_the_edges_leave_nothing_to_cut():
    image, boxes = picture([(0, 0, 30, 20), (60, 40, 90, 60)])
    changed, moved = random_crop(image, boxes, tf.constant([3, 4]))
    np.testing.assert_array_equal(changed, image)
    np.testing.assert_array_equal(moved, boxes)


@pytest.mark.long
def test_the_scale_is_within_its_range_and_does_not_favour_enlarging():
    image, boxes = picture([(20, 10, 40, 30)], 200, 300)
    height = tf.function(lambda seed: tf.shape(scale_jitter(image, boxes, seed)[0])[0], autograph=False)
    factors = [int(height(tf.constant([seed, 0]))) / 200 for seed in range(300)]
    assert 0.695 < min(factors) < 0.72
    assert 1.36 < max(factors) < 1.405
    assert np.log(factors).mean() == pytest.approx(np.log(0.7 * 1.4) / 2, abs=0.04)


def test_colour_leaves_boxes_and_changes_pixels_within_their_range(rng):
    image = tf.constant(rng.uniform(0, 255, (20, 20, 3)), tf.float32)
    _, boxes = picture([(2, 3, 9, 9)])
    changed, same = colour(image, boxes, tf.constant([1, 2]))
    np.testing.assert_array_equal(same, boxes)
    assert changed.numpy().min() >= 0
    assert changed.numpy().max() <= 255
    assert np.abs(changed - image).mean() > 5
    grey = tf.fill([4, 4, 3], 100.0)
    brightness = [colour(grey, boxes, tf.constant([seed, 0]))[0].numpy() for seed in range(100)]
    assert all(np.ptp(values) < 1e-3 for values in brightness)  # grey stays grey: contrast and saturation do nothing
    assert 70 <= min(map(np.min, brightness)) < 75
    assert 125 < max(map(np.max, brightness)) <= 130.1


@pytest.mark.long
def test_batches_are_augmented_by_the_seed_alone_and_keep_all_objects(rectangles):
    photos = open_coco(rectangles / "train.json", rectangles / "train")
    view = TrainingView(96, 160, ("crop", "scale", "colour"))

    def batches(size, start=0):
        return list(detection_batches(photos, PLAIN, 2, size, seed=3, start_step=start).take(4))

    plain, changed, again, later = (
        batches(size, start) for size, start in ((ImageSize(96, 160), 0), (view, 0), (view, 0), (view, 2))
    )
    for a, b in zip(changed, again, strict=True):
        for first, second in zip(a, b, strict=True):
            np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(changed[2][0], later[0][0])
    for a, b in zip(plain, changed, strict=True):
        np.testing.assert_array_equal(a[3], b[3])  # the same objects
        assert not np.array_equal(a[1], b[1])
        for image, extent, corners, status in zip(b[0].numpy(), b[1].numpy(), b[2].numpy(), b[3].numpy(), strict=True):
            for x1, y1, x2, y2 in corners[status == 1]:
                assert 0 <= x1 < x2 <= extent[0] + 1e-3
                assert 0 <= y1 < y2 <= extent[1] + 1e-3
                red, _, blue = image[int((y1 + y2) / 2), int((x1 + x2) / 2)]
                assert abs(red - blue) > 60  # a red or a blue rectangle, and no dark background
