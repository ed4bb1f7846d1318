"""Results by class against COCO's scorer and slower counts, thresholds, confusions, and mistakes in their order."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_resnet.detection import DetectionReport, Detections, Truths, open_coco
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.detection.scoring.coco_scoring import coco_evaluation, evaluate_quietly
from keras_resnet.detection.scoring.mistakes import mistakes
from keras_resnet.detection.scoring.report_words import HEADER, in_words, rows


def part_of(*truths, classes=("cat", "dog", "bird")):
    """Photos of 100 x 100 pixels with these objects."""
    photos = [Photo(place, f"{place}.jpg", 100, 100, truth) for place, truth in enumerate(truths)]
    return DetectionData("part", classes, tuple(photos))


@pytest.fixture(scope="module")
def noisy(real_data):
    """COCO's photos, and their boxes moved, scored at random, some missing, some of another class."""
    folder = real_data("coco128")
    data, rng = open_coco(folder / "instances.json", folder / "images"), np.random.default_rng(0)
    detections = {}
    for photo in data.photos:
        objects = photo.objects
        sides = np.tile(objects.boxes[:, 2:] - objects.boxes[:, :2], 2)
        boxes = objects.boxes + 0.1 * rng.normal(size=sides.shape) * sides
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        classes = np.where(rng.random(len(boxes)) < 0.1, rng.integers(0, 80, len(boxes)), objects.classes)
        kept = rng.random(len(boxes)) < 0.8
        detections[photo.id] = Detections(boxes[kept], classes[kept], rng.random(kept.sum()))
    return data, detections


@pytest.mark.long
def test_precision_by_class_and_size_is_that_of_pycocotools(noisy):
    data = noisy[0].first(24)
    detections = {photo.id: noisy[1][photo.id] for photo in data.photos}
    scorer = coco_evaluation(data.dataset, detections, data.categories)
    evaluate_quietly(scorer)
    scorer.accumulate()
    precision = scorer.eval["precision"][0]  # at an overlap of a half: recalls, classes, sizes, limits
    report = DetectionReport(data, detections).as_json()
    for number, row in enumerate(report["classes"]):
        expected = precision[:, number, 0, 2]
        if row["AP50"] is None:
            assert (expected == -1).all()
            continue
        assert row["AP50"][0] == pytest.approx(100 * expected.mean(), abs=1e-9)
        assert row["AP50"][1] <= row["AP50"][0] + 1e-9
        np.testing.assert_allclose(row["precision_at_recall"], 100 * expected[::10], atol=0.051)
    for place, row in enumerate(report["sizes"], start=1):
        by_class = precision[:, :, place, 2]
        assert row["AP50"][0] == pytest.approx(100 * by_class[by_class > -1].mean(), abs=1e-9)
    assert json.loads(json.dumps(report)) == report


def test_the_threshold_is_that_of_the_highest_f1(noisy):
    """Against every score tried as a threshold, with a matching of its own."""
    data, detections = noisy
    report = DetectionReport(data, detections)
    number = data.classes.index("person")
    place = [matches.number for matches in report.matches.classes].index(number)
    ranking = report.matches.classes[place].rankings[0]
    objects = report.matches.classes[place].counts.sum()

    def f1(threshold):
        right = (ranking.scores[ranking.hits] >= threshold).sum()
        return 2 * right / ((ranking.scores >= threshold).sum() + objects)

    assert f1(report.thresholds[number]) == pytest.approx(max(map(f1, ranking.scores)))


def test_equal_scores_stay_on_one_side_of_a_threshold():
    """One right and three wrong boxes of one score: the threshold cannot take the right one alone."""
    truth = Truths([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0])
    boxes = [[50, 50, 60, 60], [0, 0, 10, 10], [70, 0, 80, 10], [70, 20, 80, 30], [70, 40, 80, 50]]
    detections = {0: Detections(boxes, [0] * 5, [0.9, 0.5, 0.5, 0.5, 0.5])}
    report = DetectionReport(part_of(truth), detections)
    assert report.thresholds.tolist() == [0.9, 0.5, 0.5]  # 2 / (1 + 2) is more than 4 / (5 + 2)
    assert report.common_threshold == 0.9


def test_each_box_is_right_a_confusion_a_false_one_or_not_counted():
    cat, dog, crowd, alone = [0, 0, 20, 20], [40, 0, 60, 20], [60, 60, 100, 100], [0, 60, 40, 100]
    data = part_of(Truths([cat, dog, crowd, alone], [0, 1, 0, 2], [False, False, True, False]))
    boxes = [
        ([1, 0, 21, 20], 0, 0.9),  # right
        ([0, 0, 20, 20], 0, 0.8),  # the same cat again: nothing is left for it
        ([40, 0, 60, 20], 0, 0.7),  # the dog, taken for a cat
        ([60, 60, 100, 100], 0, 0.6),  # in a crowd
        ([40, 40, 50, 50], 2, 0.5),  # on nothing
        ([0, 60, 40, 100], 2, 0.1),  # the bird, below the threshold
    ]
    detections = {0: Detections(*map(list, zip(*boxes, strict=True)))}
    result = mistakes(data, detections, np.full(3, 0.3))
    expected = np.zeros((4, 4), int)
    expected[0, 0] = expected[3, 0] = expected[1, 0] = expected[3, 2] = expected[2, 3] = 1
    np.testing.assert_array_equal(result.matrix, expected)
    assert [(row.answer, row.label, row.score) for row in result.false] == [(0, None, 0.8), (0, 1, 0.7), (2, None, 0.5)]
    assert [(row.label, row.score) for row in result.missed] == [(2, 0.16)]


def test_boxes_in_a_crowd_count_for_nothing_as_in_cocos_scorer():
    """Small ones in it and one that it covers by half do not count; one that it covers by a quarter is false."""
    alone, crowd = [0, 0, 20, 20], [20, 40, 100, 100]
    data = part_of(Truths([alone, crowd], [0, 0], [False, True]))
    inside = [[20 + 10 * place, 50, 30 + 10 * place, 90] for place in range(8)]
    boxes = [alone, *inside, [0, 80, 40, 100], [14, 80, 22, 100]]
    report = DetectionReport(data, {0: Detections(boxes, [0] * 11, [0.9] * 11)})
    ranking = report.matches.classes[0].rankings[0]
    assert (len(ranking.scores), ranking.hits.tolist()) == (2, [0])
    assert report.mistakes.matrix[:, 0].tolist() == [1, 0, 0, 1]
    assert report.as_json()["classes"][0]["precision"][0] == 50.0


def test_a_box_of_the_right_class_takes_an_object_before_a_surer_one_of_another():
    data = part_of(Truths([[0, 0, 20, 20]], [0]))
    detections = {0: Detections([[0, 0, 20, 20], [0, 0, 19, 20]], [1, 0], [0.9, 0.4])}
    matrix = mistakes(data, detections, np.zeros(3)).matrix
    assert (matrix[0, 0], matrix[3, 1], matrix.sum()) == (1, 1, 2)


def test_nothing_found_and_nothing_to_find_are_reports_too():
    nothing = DetectionReport(part_of(Truths([[0, 0, 20, 20]], [0])), {}).as_json()
    assert (nothing["AP50"][0], nothing["missed"], nothing["classes"][1]["AP50"]) == (0, 1, None)
    assert "AP50 0.0 (0.0 to 0.0)" in in_words(nothing)[0]
    assert len(rows(nothing)[0]) == len(HEADER)
    empty = DetectionReport(
        part_of(Truths(np.zeros((0, 4)), [])), {0: Detections([[0, 0, 9, 9]], [0], [0.9])}
    ).as_json()
    assert (empty["false"], empty["sizes"]) == (1, [])


@pytest.mark.long
def test_files_of_the_report(noisy, tmp_path):
    data, detections = noisy
    report = DetectionReport(data.first(20), {photo.id: detections[photo.id] for photo in data.first(20).photos})
    for name, write in report.writers().items():
        write(tmp_path / name)
        if not name.endswith(".csv"):
            assert min(Image.open(tmp_path / name).size) > 100
    lines = (tmp_path / "classes.csv").read_text().splitlines()
    assert len(lines) == 81
    assert lines[0].startswith("class,objects,boxes,threshold,")
    assert len((tmp_path / "confusion.csv").read_text().splitlines()) == 82
