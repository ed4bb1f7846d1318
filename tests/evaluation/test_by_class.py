"""Counts by class are those of a loop over the answers; intervals and order are checked by what they must be."""

import csv
import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_recall_fscore_support

from keras_resnet.evaluation import ByClass, Scores, Share, similar_order, write_matrix

NAMES = ("ant", "bee", "cat", "dog")


@pytest.fixture
def by_class(rng):
    """Answers of which many are wrong; no photo is of the last class."""
    return ByClass(Scores(rng.random((200, 4)).astype("float32"), rng.integers(0, 3, 200).astype("int32")), NAMES)


def test_the_matrix_counts_each_answer(by_class):
    expected = np.zeros((4, 4), int)
    for probabilities, label in zip(by_class.scores.probabilities, by_class.scores.labels, strict=True):
        expected[label, list(probabilities).index(max(probabilities))] += 1
    np.testing.assert_array_equal(by_class.matrix, expected)


def test_recall_and_precision_are_scikit_learns(by_class):
    labels = by_class.scores.labels
    precision, recall, _, photos = precision_recall_fscore_support(labels, by_class.answers, zero_division=0)
    for number, result in enumerate(by_class.results):
        assert (result.name, result.recall.total) == (NAMES[number], photos[number])
        assert result.precision.percent == pytest.approx(100 * precision[number])
        if photos[number]:
            assert result.recall.percent == pytest.approx(100 * recall[number])
    assert by_class.results[3].recall.percent is None
    assert str(by_class.results[3].recall) == ""
    with pytest.warns(UserWarning, match="classes not in y_true"):
        accuracy = balanced_accuracy_score(labels, by_class.answers)
    assert by_class.balanced_error == pytest.approx(100 - 100 * accuracy)


def test_intervals_are_wilsons():
    z = 1.959963984540054
    for count, total in ((0, 10), (7, 9), (50, 50), (3, 1000)):
        p = count / total
        center = (p + z**2 / (2 * total)) / (1 + z**2 / total)
        half = z / (1 + z**2 / total) * math.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
        assert Share(count, total).interval == pytest.approx((100 * (center - half), 100 * (center + half)), abs=1e-9)
    assert str(Share(7, 9)) == "77.8 % (45.3 to 93.7)"
    assert Share(0, 0).interval is None


def test_the_most_confused_pairs_come_first_and_their_surest_photos(by_class):
    matrix, pairs = by_class.matrix, by_class.confusions(5)
    wrong = sorted((matrix[i, j] for i in range(4) for j in range(4) if i != j), reverse=True)
    assert [pair.count for pair in pairs] == wrong[:5]
    for pair in pairs:
        assert matrix[pair.label, pair.answer] == pair.count
        assert {int(by_class.scores.labels[p]) for p in pair.positions} == {pair.label}
        assert {int(by_class.answers[p]) for p in pair.positions} == {pair.answer}
        surest = [by_class.scores.probabilities[p, pair.answer] for p in pair.positions]
        assert surest == sorted(surest, reverse=True)
    right = ByClass(Scores(np.eye(4, dtype="float32"), np.arange(4, dtype="int32")), NAMES)
    assert right.confusions(5) == []
    assert right.balanced_error == 0


def test_classes_that_are_confused_stand_together(rng):
    """Twelve classes in four groups that are taken for one another, in any order: each group is one run."""
    groups = rng.permutation(np.repeat(np.arange(4), 3))
    matrix = 5 * (groups[:, None] == groups) + rng.integers(0, 2, (12, 12)) + 60 * np.eye(12, dtype=int)
    order = groups[similar_order(matrix)]
    assert (np.diff(order) != 0).sum() == 3
    assert sorted(similar_order(matrix)) == list(range(12))
    assert similar_order(np.eye(2)).tolist() == [0, 1]


def test_the_matrix_is_written_with_names_of_any_kind(tmp_path):
    names, matrix = ("a, b", "größe", 'c"d'), np.arange(9).reshape(3, 3)
    write_matrix(tmp_path / "m.csv", matrix, names)
    header, *rows = csv.reader((tmp_path / "m.csv").open(encoding="utf-8", newline=""))
    assert header[1:] == [row[0] for row in rows] == list(names)
    np.testing.assert_array_equal([[int(cell) for cell in row[1:]] for row in rows], matrix)
