"""VOC's and DET's average precision on cases worked by hand."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.detection import DET, VOC2007, VOC2010, Detections, Truths, average_precisions, iou

UNIT = [0, 0, 10, 10]
FAR = [100, 100, 110, 110]


def as_detections(boxes, scores, classes=None):
    return Detections(boxes, [0] * len(boxes) if classes is None else classes, scores)


def ap(truths, detections, rule=VOC2010):
    return average_precisions(truths, detections, rule)[0]


def test_overlaps_by_hand():
    a = np.array([[0, 0, 4, 4], [2, 2, 2, 2]], float)
    b = np.array([[2, 2, 6, 6], [0, 0, 4, 4], [9, 9, 12, 12]], float)
    np.testing.assert_allclose(iou(a, b), [[4 / 28, 1, 0], [0, 0, 0]])


def test_corners_contain_voc_s_plus_one():
    """Inclusive pixels 1...10 and 6...15: 5 of 15 columns shared, as (10 - 6 + 1) / (15 - 1 + 1)."""
    a, b = np.array([[0, 0, 10, 1]], float), np.array([[5, 0, 15, 1]], float)
    np.testing.assert_allclose(iou(a, b), [[5 / 15]])


def test_two_of_three_found_with_a_wrong_one_between():
    """Ranking right, wrong, right of 3 objects: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3."""
    truths = {"a": Truths([UNIT, [50, 0, 60, 10], FAR], [0, 0, 0])}
    detections = {"a": as_detections([UNIT, [20, 20, 30, 30], FAR], [0.9, 0.8, 0.7])}
    assert ap(truths, detections) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    # recalls 0 ... 0.3 have precision 1 ahead, 0.4 ... 0.6 have 2/3, the last four none
    assert ap(truths, detections, VOC2007) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_a_second_detection_of_an_object_is_wrong():
    truths = {"a": Truths([UNIT, FAR], [0, 0])}
    detections = {"a": as_detections([UNIT, [0, 0, 10, 9], FAR], [0.9, 0.8, 0.7])}
    assert ap(truths, detections) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)


def test_difficult_objects_count_neither_as_found_nor_as_missed():
    truths = {"a": Truths([UNIT, FAR], [0, 0], [True, False])}
    assert ap(truths, {"a": as_detections([UNIT, UNIT, FAR], [0.9, 0.8, 0.7])}) == 1.0
    assert average_precisions({"a": Truths([UNIT], [0], [True])}, {}, VOC2010) == {}


def test_the_ranking_is_over_all_images_and_missing_ones_count():
    truths = {"a": Truths([UNIT], [0]), "b": Truths([UNIT], [0]), "empty": Truths([], [])}
    detections = {"empty": as_detections([UNIT], [0.95]), "a": as_detections([UNIT], [0.9])}
    assert ap(truths, detections) == pytest.approx(1 / 2 * 1 / 2)
    assert ap(truths, {}) == 0.0


def test_classes_are_scored_separately():
    truths = {"a": Truths([UNIT, FAR], [0, 2])}
    precisions = average_precisions(truths, {"a": as_detections([UNIT, FAR], [0.9, 0.8], [0, 1])}, VOC2010)
    assert precisions == {0: 1.0, 2: 0.0}


def test_det_has_lower_thresholds_for_small_boxes():
    """A 10 x 10 object needs an overlap of 100 / 400 = 0.25; one of 60 x 60 needs 3600 / 4900, capped at one half."""
    small, large = [0, 0, 10, 10], [0, 0, 60, 60]
    for box, shift, expected in ((small, 5, 1.0), (small, 7, 0.0), (large, 15, 1.0), (large, 30, 0.0)):
        moved = [box[0] + shift, box[1], box[2] + shift, box[3]]  # overlap (w - shift) / (w + shift)
        assert ap({"a": Truths([box], [0])}, {"a": as_detections([moved], [0.9])}, DET) == expected
    moved = [5, 0, 15, 10]
    assert ap({"a": Truths([small], [0])}, {"a": as_detections([moved], [0.9])}, VOC2010) == 0.0


def test_det_lets_a_detection_take_the_second_best_object():
    """Both detections overlap the first object most; VOC calls the second one wrong."""
    truths = {"a": Truths([[0, 0, 60, 60], [10, 0, 70, 60]], [0, 0])}
    detections = {"a": as_detections([[0, 0, 60, 60], [2, 0, 62, 60]], [0.9, 0.8])}
    assert ap(truths, detections, DET) == 1.0
    assert ap(truths, detections, VOC2010) == 0.5


def test_detections_of_unknown_images_are_refused():
    with pytest.raises(InputError, match="detections of image 'b', which is not in the test set"):
        average_precisions({"a": Truths([UNIT], [0])}, {"b": as_detections([UNIT], [0.9])}, VOC2010)
