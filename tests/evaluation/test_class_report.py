"""A report of answers by class says in words, tables and pictures what is in the scores."""

import csv

import numpy as np
import pytest
from PIL import Image

from keras_resnet.data import ArraySplit
from keras_resnet.evaluation import Scores, in_words, report_of

NAMES = ("ant", "bee", "cat")


def report(rng, names=NAMES, examples=60, share=0.5):
    """Of answers of which about ``share`` are random."""
    labels = rng.integers(0, len(names), examples).astype("int32")
    logits = rng.normal(size=(examples, len(names)))
    logits[np.arange(examples), labels] += 4 * (rng.random(examples) > share)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    pictures = np.broadcast_to(labels[:, None, None, None] * 80, (examples, 8, 8, 3)).astype("uint8")
    return report_of(Scores(probabilities.astype("float32"), labels), names, ArraySplit("photos", pictures, labels))


def test_words_name_the_most_confused_classes(rng):
    class_report = report(rng)
    first = class_report.answers.confusions(1)[0]
    lines = in_words(class_report.as_json())
    assert f"most confused: {NAMES[first.label]} taken for {NAMES[first.answer]} ({first.count})" in lines[0]
    assert f"at temperature {class_report.temperature:.2f}" in lines[1]
    (confused, *_) = class_report.as_json()["confused"]
    assert confused["photos"] == [f"number {position} of photos" for position in first.positions[:4]]


def test_without_mistakes_there_is_nothing_to_confuse(tmp_path):
    labels = np.array([0, 1, 2], "int32")
    photos = ArraySplit("photos", np.zeros((3, 8, 8, 3), "uint8"), labels)
    class_report = report_of(Scores(np.eye(3, dtype="float32"), labels), NAMES, photos)
    assert in_words(class_report.as_json())[0] == "balanced error 0.00 %; most confused: none"
    for name, write in class_report.writers().items():
        write(tmp_path / name)
    assert Image.open(tmp_path / "confused.png").size[0] > 100


def test_the_table_of_many_classes_has_those_of_lowest_recall(rng):
    names = tuple(f"class {number}" for number in range(40))
    class_report = report(rng, names, 2000, 0.3)
    rows = class_report.table().rows
    recalls = sorted(result.recall.percent for result in class_report.answers.results)
    assert [float(row[2].split()[0]) for row in rows] == pytest.approx(recalls[:20], abs=0.051)


@pytest.mark.long
def test_the_matrix_of_many_classes_is_written_in_the_order_of_the_picture(rng, tmp_path):
    names = tuple(f"class {number}" for number in range(40))
    class_report = report(rng, names, 2000)
    for name, write in class_report.writers().items():
        write(tmp_path / name)
    header, *rows = csv.reader((tmp_path / "confusion.csv").open(newline=""))
    order = [names.index(name) for name in header[1:]]
    assert sorted(order) == list(range(40)) != order
    np.testing.assert_array_equal([row[1:] for row in rows], class_report.answers.matrix[order][:, order].astype(str))
    assert Image.open(tmp_path / "confusion.png").size[0] > 500


def test_pictures_of_confused_pairs_are_the_photos(rng, tmp_path):
    class_report = report(rng)
    class_report.writers()["confused.png"](tmp_path / "confused.png")
    drawn = np.asarray(Image.open(tmp_path / "confused.png"))
    first = class_report.answers.confusions(1)[0]
    assert (drawn[: drawn.shape[0] // 5] == 80 * first.label).all(axis=-1).sum() > 30_000
