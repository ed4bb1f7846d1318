"""The localization recipe and its tools, run as a user runs them: stages, stop, continue, rows, pictures."""

import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image
from programs import Program, run

from keras_resnet.localization import load_localizer
from keras_resnet.training.files.metrics_file import read_metrics

pytestmark = pytest.mark.long

SMALL = ["--image-size", 96, "--region-size", 32, "--proposals", 3, "--batch-size", 4, "--base-lr", 0.5]
SMALL += ["--epochs", 2, "--rcnn-steps", 4, "--save-every", 2]  # two validations, then one after each step


@pytest.fixture(scope="module")
def trained(rectangles, classifier, tmp_path_factory):
    """A run of all stages: its folder's parent, its arguments and what it prints."""
    folder = tmp_path_factory.mktemp("runs")
    classifier.class_names = ("red", "blue")
    classifier.save(folder / "classifier.keras")
    arguments = ["--model", folder / "classifier.keras", "--data", rectangles, *SMALL, "--workdir"]
    whole = run("recipes/localization.py", *arguments, folder / "whole")
    assert whole.returncode == 0, whole.stderr
    return folder, arguments, whole.stdout


@pytest.fixture(scope="module")
def stopped(trained):
    """A run killed in the RPN, stopped in the R-CNN and continued, and the whole one; their folder."""
    folder, arguments, _ = trained
    for stage, number in (("rpn", signal.SIGKILL), ("rcnn", signal.SIGTERM)):
        with Program("recipes/localization.py", *arguments, folder / "stopped") as program:
            reached = folder / "stopped" / stage / "checkpoints" / "step-000000002"
            while not reached.exists() and program.poll() is None:
                time.sleep(0.02)
            program.send_signal(number)
            ended = program.ended()
        assert ended.returncode in (-number, 128 + number), ended.stderr
    done = run("recipes/localization.py", *arguments, folder / "stopped")
    assert done.returncode == 0, done.stderr
    assert "continuing at step" in done.stdout
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["rpn", "rcnn"])
def test_a_stopped_run_is_bit_for_bit_one_that_was_not(stopped, stage):
    first, second = (load_localizer(stopped / name / stage / "last.keras") for name in ("stopped", "whole"))
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    rows = [read_metrics(stopped / name / stage / "metrics.csv") for name in ("stopped", "whole")]
    for a, b in zip(*rows, strict=True):
        assert {k: v for k, v in a.items() if k not in ("images_per_second", "input_wait")} == {
            k: v for k, v in b.items() if k not in ("images_per_second", "input_wait")
        }
    boxes = [np.load(stopped / name / "proposals" / "proposals-00000.npy") for name in ("stopped", "whole")]
    np.testing.assert_array_equal(*boxes)


def test_the_last_stage_prints_the_rows_it_can_and_keeps_them(trained):
    folder, _, output = trained
    kept = json.loads((folder / "whole" / "rows.json").read_text())
    assert [row["row"] for row in kept["rows"]] == ["crop", "dense", "crop-rcnn", "dense-rcnn", "top5", "top5-rcnn"]
    assert all(0 <= row["interval"][0] <= row["error"] <= row["interval"][1] <= 100 for row in kept["rows"])
    assert kept["photos"] == 6
    assert {"command", "commit", "hardware"} < set(kept)
    assert "| RPN + R-CNN, dense, five predicted classes | 10.6 |" in output
    result = json.loads((folder / "whole" / "rpn" / "result.json").read_text())
    assert (result["val_examples"], result["train_examples"]) == (6, 12)
    boxes = [(folder / "whole" / stage / "proposals.json").read_text() for stage in ("proposals", "rcnn")]
    assert json.loads(boxes[0]) == json.loads(boxes[1])


def test_what_is_finished_is_not_done_again(trained):
    folder, arguments, _ = trained
    for stage in ("rpn", "rcnn"):  # written by a clock that has gone back since
        os.utime(folder / "whole" / stage / "last.keras", (time.time() + 86_400,) * 2)
    stamps = [path.stat().st_mtime_ns for path in (folder / "whole").rglob("*.*") if path.name != "lock"]
    again = run("recipes/localization.py", *arguments, folder / "whole")
    assert (again.returncode, again.stdout) == (0, "")
    assert [path.stat().st_mtime_ns for path in (folder / "whole").rglob("*.*") if path.name != "lock"] == stamps


def test_evaluate_prints_an_ensemble_and_writes_submissions(trained, rectangles, tmp_path):
    folder, *_ = trained
    rpn, rcnn = (folder / "whole" / stage / "last.keras" for stage in ("rpn", "rcnn"))
    networks = ["--rpn", rpn, "--rcnn", rcnn, folder / "whole" / "rcnn" / "best.keras"]
    flags = ["--classifier", folder / "classifier.keras", "--data", rectangles, "--proposals", 3, "--out", tmp_path]
    flags += ["--scales", 96, 128]
    rows = ["--rows", "crop", "crop-rcnn", "ensemble", "--json", tmp_path / "rows.json"]
    done = run("tools/evaluate_localization.py", *networks, *flags, *rows)
    assert done.returncode == 0, done.stderr
    kept = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["row"] for row in kept] == ["crop", "crop-rcnn", "ensemble"]
    assert "against_first" in kept[1]
    for row, answers in (("crop", 1), ("ensemble", 2)):
        lines = (tmp_path / row / "localization.txt").read_text().splitlines()
        assert [len(line.split()) for line in lines] == [5 * answers] * 6
    flags = ["--data", rectangles, "--split", "train", "--first", 1]  # which the networks have learned from
    done = run("tools/evaluate_localization.py", "--rpn", rpn, "--rcnn", rcnn, *flags, "--rows", "crop")
    assert done.returncode == 0, done.stderr


def test_localize_draws_and_lists_the_answers(trained, rectangles, tmp_path):
    folder, *_ = trained
    photos = sorted((rectangles / "val").iterdir())[:2]
    networks = ["--classifier", folder / "classifier.keras", "--rpn", folder / "whole" / "rpn" / "last.keras"]
    done = run("tools/localize.py", *photos, *networks, "--dense", "--out", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "found" / "localization.json").read_text())
    assert [answer["photo"] for answer in answers] == list(map(str, photos))
    for answer in answers:
        assert {box["class"] for box in answer["answers"]} == {"red", "blue"}
        assert sum(box["probability"] for box in answer["answers"]) == pytest.approx(1, abs=1e-3)
        assert all(0 <= n <= 96 for box in answer["answers"] for n in box["box"])
    assert np.asarray(Image.open(tmp_path / "found" / f"{photos[0].stem}.png")).shape[2] == 3


def test_what_cannot_be_used_is_refused_in_one_sentence(trained, rectangles, renumbered, tmp_path):
    folder, *_ = trained
    model = folder / "classifier.keras"
    for arguments, words in (
        ([], "--model must name a trained classifier"),
        (["--model", "ResNet20"], "ResNet20 is a CIFAR network"),
        (["--model", model, "--data", tmp_path], "holds no detection data in COCO's layout"),
        (["--model", model, "--data", renumbered], "Class 0 is red in train and blue in val"),
        (["--model", model, "--stages", "rcnn"], "run the stage rpn first"),
        (["--model", model, "--proposals", 0], "--proposals 0 must be a whole number from 1 to 2,000"),
    ):
        done = run("recipes/localization.py", "--data", rectangles, *arguments, "--workdir", tmp_path / "run")
        assert (done.returncode, words in done.stderr.splitlines()[-1]) == (2, True), done.stderr[-500:]
    rpn = folder / "whole" / "rpn" / "last.keras"
    done = run("tools/localize.py", model, "--classifier", model, "--rpn", rpn)
    assert (done.returncode, "does not decode" in done.stderr.splitlines()[-1]) == (2, True)
    done = run("tools/classify.py", rectangles / "val" / "0.png", "--model", rpn)
    assert (done.returncode, "last.keras holds an RPN" in done.stderr.splitlines()[-1]) == (2, True)
