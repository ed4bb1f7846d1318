"""The benchmark's error against loops over answers and objects; differences; submission files."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.detection import Detections, Truths
from keras_resnet.localization import difference, error, mistakes, write_submission


def overlap(a, b):
    width, height = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


def by_loops(truths, answers):
    """ILSVRC's: the least over answers of whether class or box is wrong, the least over instances of the class."""
    wrong = []
    for truth, answer in zip(truths, answers, strict=True):
        least = 1
        for box, number in zip(answer.boxes, answer.classes, strict=True):
            for truth_box, truth_class in zip(truth.boxes, truth.classes, strict=True):
                least = min(least, max(int(number != truth_class), int(overlap(box, truth_box) < 0.5)))
        wrong.append(bool(least))
    return wrong


def test_the_error_is_the_benchmark_s(rng):
    truths, answers = [], []
    for _ in range(200):
        corner = rng.uniform(0, 50, (3, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(20, 60, (3, 2))], axis=1)
        number = rng.integers(8)
        truths.append(Truths(boxes, [number] * 3))
        moved = boxes[rng.integers(3, size=5)] + rng.normal(0, 12, (5, 4))
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        answers.append(Detections(moved, rng.permutation(8)[:5], np.ones(5)))
    wrong = by_loops(truths, answers)
    assert 20 < sum(wrong) < 180
    assert mistakes(truths, answers).tolist() == wrong
    estimate = error(truths, answers)
    assert (estimate.wrong, estimate.examples) == (sum(wrong), 200)


def test_half_an_overlap_is_enough_and_class_and_box_must_go_together():
    truth = [Truths([[0, 0, 10, 10]], [2])]
    for box, number, wrong in (
        ([0, 0, 10, 5], 2, False),
        ([0, 0, 10, 4.9], 2, True),
        ([0, 0, 10, 10], 3, True),
    ):
        assert mistakes(truth, [Detections([box], [number], [1])]).tolist() == [wrong]
    apart = Detections([[0, 0, 10, 10], [50, 50, 60, 60]], [3, 2], [1, 1])  # the right box for another class
    assert mistakes(truth, [apart]).tolist() == [True]
    assert mistakes([Truths(np.zeros((0, 4)), [])], [apart]).tolist() == [True]


def test_six_answers_and_answers_for_other_photos_are_refused():
    six = Detections(np.tile([0, 0, 1, 1], (6, 1)), range(6), np.ones(6))
    with pytest.raises(InputError, match="has 6 answers: the benchmark takes 5"):
        mistakes([Truths([[0, 0, 1, 1]], [0])], [six])
    with pytest.raises(InputError, match="answers for 1 photos and objects of 0"):
        mistakes([], [six])


def test_a_paired_difference_has_the_interval_of_its_pairs(rng):
    wrong = rng.random(400) < 0.3
    fewer = wrong & (rng.random(400) < 0.7)
    apart, (low, high) = difference(fewer, wrong)
    assert apart == pytest.approx(100 * (fewer.mean() - wrong.mean()))
    spread = 1.96 * 100 * np.std(fewer.astype(float) - wrong) / 20
    assert (low, high) == (pytest.approx(apart - spread, abs=0.8), pytest.approx(apart + spread, abs=0.8))
    assert difference(wrong, wrong) == (0.0, (0.0, 0.0))


def test_submission_files_hold_the_answers(photos, tmp_path):
    answers = [Detections([[1, 2, 30, 40], [0, 0, 96, 96]], [1, 0], [0.9, 0.1]) for _ in photos.photos]
    write_submission(tmp_path / "row", photos, answers)
    lines = (tmp_path / "row" / "localization.txt").read_text().splitlines()
    assert len(lines) == len(photos)
    assert [float(word) for word in lines[0].split()] == [2, 1, 2, 29, 39, 1, 0, 0, 95, 95]
    header, first, *_ = (tmp_path / "row" / "localization.csv").read_text().splitlines()
    assert header == "ImageId,PredictionString"
    assert first == f"{photos.photos[0].id},blue 1.0 2.0 29.0 39.0 red 0.0 0.0 95.0 95.0"
