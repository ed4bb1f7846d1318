"""How far anchors reach the boxes of a data set, and what is said about it."""

import numpy as np
import pytest

from keras_resnet.detection.anchors import anchor_sides, make_anchors
from keras_resnet.detection.boxes import Truths, iou
from keras_resnet.detection.data.box_advice import about_reach, reach_by_size
from keras_resnet.detection.data.box_statistics import anchor_overlaps, box_statistics, boxes_twice, seen_boxes
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.detection.detector_specs import ImageSize, Proposals


def squares(sides, size=(400, 300)):
    """A part of one photo for each side, with a square of that side in its middle."""
    width, height = size
    centre = np.array([width, height, width, height]) / 2
    photos = [
        Photo(place, f"{place}.jpg", height, width, Truths([centre + np.array([-1, -1, 1, 1]) * side / 2], [0]))
        for place, side in enumerate(sides)
    ]
    return DetectionData("squares", ("square",), tuple(photos))


@pytest.mark.long
@pytest.mark.parametrize("proposals", [Proposals(), Proposals((0.5, 2.0), (0.3, 1.7, 4.0))])
def test_overlaps_are_those_with_the_best_of_all_anchors_of_a_map(proposals, rng):
    """Wherever the boxes lie, against every anchor of a map that is large enough."""
    anchors = make_anchors(40, 40, 16, proposals.scales, proposals.ratios).reshape(-1, 4)
    corner, sides = rng.uniform(0, 500, (200, 2)), np.exp(rng.uniform(0, 5, (200, 2)))
    boxes = np.concatenate([corner, corner + sides], axis=1)
    expected = iou(boxes, anchors).max(axis=1)
    np.testing.assert_allclose(anchor_overlaps(boxes, anchor_sides(proposals)), expected, rtol=1e-4, atol=1e-6)


def test_anchors_of_several_maps_have_cells_of_their_own(rng):
    small, large = (make_anchors(80, 80, 8, (1.0,), (1.0,)), make_anchors(20, 20, 32, (6.0,), (1.0,)))
    anchors = np.concatenate([small.reshape(-1, 4), large.reshape(-1, 4)])
    corner, sides = rng.uniform(0, 500, (200, 2)), np.exp(rng.uniform(0, 5, (200, 2)))
    boxes = np.concatenate([corner, corner + sides], axis=1)
    overlaps = anchor_overlaps(boxes, np.array([[16.0, 16.0], [96.0, 96.0]]), np.array([8.0, 32.0]))
    np.testing.assert_allclose(overlaps, iou(boxes, anchors).max(axis=1), rtol=1e-4, atol=1e-6)


def test_boxes_are_seen_at_the_size_to_which_their_photo_is_resized():
    rows = seen_boxes(squares([30], (400, 300)), ImageSize(600, 700))  # the longer side decides: 700 / 400
    np.testing.assert_allclose(rows.sides, [[52.5, 52.5]])
    assert rows.areas.tolist() == [900]


def test_ignored_boxes_are_counted_and_need_no_anchor():
    part = squares([100, 100])
    photo = part.photos[0]
    ignored = Photo(0, photo.file, photo.height, photo.width, Truths(photo.objects.boxes, [0], [True]))
    part = DetectionData("squares", part.classes, (ignored, part.photos[1]))
    content = box_statistics(part, ImageSize(300, 400), Proposals())
    assert (content["boxes"], content["reach"]["objects"]) == (2, 1)


def test_what_no_anchor_reaches_is_said_with_its_sizes_and_the_way_out():
    """Anchors of 128 to 512 pixels reach squares of 128 by 50 %, and none of 20 to 60: 60² / 128² is below a half."""
    part = squares([20, 40, 40, 60, 128], (400, 300))
    content = box_statistics(part, ImageSize(300, 400), Proposals())
    assert content["reach"]["50"] == pytest.approx(0.2)
    assert [row[:2] for row in reach_by_size(content).rows] == [
        ("16 to 32", "1"), ("32 to 64", "3"), ("128 to 256", "1"), ("all", "5")
    ]  # fmt: skip
    (sentence,) = about_reach("train", content)
    assert sentence.startswith("train: 4 of 5 objects (80%) overlap no anchor by 50 %, none of those of 16 to 32")
    assert "--anchors auto fits them to the boxes" in sentence
    assert about_reach("train", box_statistics(squares([128] * 9), ImageSize(300, 400), Proposals())) == []
    (small,) = about_reach("train", box_statistics(squares([6] * 9), ImageSize(300, 400), Proposals((0.4, 1.0))))
    assert "take a larger --shorter-side" in small
    assert "--anchors auto" not in small


def test_boxes_twice_are_counted_once_each():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10.5], [0, 0, 10, 10], [50, 50, 60, 60]])
    assert boxes_twice(boxes, np.array([0, 0, 0, 1, 0])) == 2
