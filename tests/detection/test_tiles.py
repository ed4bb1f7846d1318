"""Tiles cover a picture so that small objects are whole in one of them, and a box that is cut is left out."""

import numpy as np
import pytest

from keras_resnet.detection import Detections
from keras_resnet.detection.tiles import tiles_of, whole_objects


@pytest.mark.parametrize(("width", "height", "side"), [(1000, 700, 300), (301, 300, 300), (5000, 120, 640)])
def test_every_object_smaller_than_the_overlap_is_whole_in_a_square(width, height, side, rng):
    whole, *squares = tiles_of(width, height, side)
    assert whole == (0, 0, width, height)
    for left, top, right, bottom in squares:
        assert (right - left, bottom - top) == (min(side, width), min(side, height))
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    for _ in range(300):
        sides = np.minimum(rng.integers(1, side // 4, 2), (width, height))
        corner = rng.integers(0, np.array([width, height]) - sides + 1)
        box = (*corner, *(corner + sides))
        assert any((np.array(box[:2]) >= tile[:2]).all() and (np.array(box[2:]) <= tile[2:]).all() for tile in squares)


@pytest.mark.parametrize("side", [None, 500, 640])
def test_a_picture_that_one_tile_covers_is_not_divided(side):
    assert tiles_of(500, 400, side) == [(0, 0, 500, 400)]


def test_boxes_at_a_border_inside_the_picture_are_left_out():
    """A tile in the lower left corner: its left and lower borders are the picture's."""
    boxes = [
        [0, 20, 30, 60],
        [50, 50, 100, 90],
        [40, 0, 60, 30],
        [10, 60, 30, 100],
        [30, 30, 60, 60],
        [70, 30, 98.5, 50],
    ]
    detections = Detections(boxes, np.arange(6), np.linspace(0.9, 0.4, 6))
    kept = whole_objects(detections, (0, 200, 100, 300), 400, 300)
    assert kept.classes.tolist() == [0, 3, 4]
    np.testing.assert_array_equal(kept.boxes[2], [30, 230, 60, 260])
