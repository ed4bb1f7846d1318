"""The recipes, run as a user runs them: command in, files and sentences out."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

import keras_resnet
from keras_resnet import data

KEYS = {"model", "steps", "seed", "val_error", "test_error", "images_per_second", "seconds", "settings", "command",
        "commit", "versions", "hardware", "val_examples", "val_split"}  # fmt: skip


def command(recipe, *arguments):
    return [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), *map(str, arguments)]


def run(recipe, *arguments, cwd=None):
    return subprocess.run(command(recipe, *arguments), capture_output=True, text=True, cwd=cwd, timeout=900)


def small(photo_folder, workdir, *more):
    """A run of 12 images, 3 steps an epoch."""
    return ("--data", photo_folder, "--model", "ResNet20", "--image-size", 32, "--batch-size", 4,
            "--base-lr", 0.5, "--workdir", workdir, *more)  # fmt: skip


def test_a_folder_of_photos_is_trained_on(photo_folder, tmp_path):
    workdir = tmp_path / "runs" / "mine"
    done = run("imagenet", *small(photo_folder, workdir, "--epochs", 5))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("settings: --model ResNet20")
    assert sum(line.startswith("epoch ") for line in lines) == 5  # one line an epoch off a terminal
    result = json.loads((workdir / "result.json").read_text())
    assert result.keys() >= KEYS
    assert (result["model"], result["steps"], result["val_examples"]) == ("ResNet20", 15, 4)
    assert (result["test_error"], result["settings"]["batch_size"]) == (None, 4)
    assert f"validation error {result['val_error']:.2f} %" in done.stdout
    rows = list(csv.DictReader((workdir / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows if row["split"] == "validation"] == [3, 6, 9, 12, 15]
    assert float(rows[-1]["error"]) == pytest.approx(result["val_error"])
    assert Image.open(workdir / "curves.png").size[0] > 500
    for split in ("train", "validation"):
        assert list((workdir / split).glob("events.out.tfevents.*"))
    for name in ("best.keras", "last.keras"):
        model = keras.models.load_model(workdir / name)
        images = data.open_data(str(photo_folder)).validation
        x = np.stack(
            [np.asarray(Image.open(photo_folder / "val" / c / "0.JPEG").resize((32, 32))) for c in ("cat", "dog")]
        )
        assert model.predict(keras_resnet.preprocess_input(x, model), verbose=0).shape == (2, len(set(images.labels)))


def test_tensorboard_shows_loss_error_rate_and_speed(photo_folder, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = run("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 6))
    assert done.returncode == 0, done.stderr
    tags = {}
    for split in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "run" / split), size_guidance={"tensors": 0})
        events.Reload()
        tags[split] = {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}
    assert tags["train"].keys() == {"loss", "error", "learning_rate", "images_per_second"}
    assert tags["validation"].keys() == {"loss", "error"}
    assert tags["train"]["loss"] == [3, 6]
    assert tags["train"]["images_per_second"] == [12, 24]  # over images, not steps


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_end(photo_folder, tmp_path):
    """SIGKILL after some epoch, then the same command: weights, rates and curves equal the run never stopped."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = run("imagenet", *small(photo_folder, whole, "--steps", 40))
    assert done.returncode == 0, done.stderr
    arguments = small(photo_folder, broken, "--steps", 40)
    with subprocess.Popen(
        command("imagenet", *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        while not list(broken.glob("checkpoints/step-*")):
            assert process.poll() is None, "it ended before its first checkpoint"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not (broken / "result.json").exists()
    done = run("imagenet", *arguments)
    assert done.returncode == 0, done.stderr
    assert "continuing at step" in done.stdout
    curves = []
    for workdir in (whole, broken):
        rows = csv.DictReader((workdir / "metrics.csv").open())
        curves.append([(r["split"], r["step"], r["loss"], r["error"], r["learning_rate"]) for r in rows])
    assert curves[0] == curves[1]
    models = [keras.models.load_model(workdir / "last.keras") for workdir in (whole, broken)]
    for a, b in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_without_arguments_the_demo_set_is_learned(tmp_path):
    done = run("imagenet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("training on the built-in demo set")
    (result,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(result.read_text())["val_error"] < 10


def test_cifar10_trains_and_reports_its_splits(real_data, tmp_path):
    done = run("cifar10", "--data-dir", real_data("tfds"), "--steps", 3, "--workdir", tmp_path / "run",
               "--precision", "mixed_bfloat16")  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["val_examples"], result["val_split"]) == (5000, "train[45000:]")
    assert (result["test_examples"], result["test_split"]) == (1000, "first 1,000 of test")


BAD = {
    "unknown model": (["--model", "ResNet19"], "model 'ResNet19' is not known: choose one of ResNet18"),
    "no such folder": (["--data", "no/such/folder"], "There is no folder no/such/folder/train"),
    "no such tfds": (["--data", "cifar10", "--data-dir", "/nowhere"], "no prepared data set 'cifar10' in /nowhere"),
    "too small": (["--model", "ResNet18", "--image-size", "20"], "height 20 is too small for the strides of ResNet18"),
    "zero batch": (["--batch-size", "0"], "--batch-size 0 must be positive"),
    "negative size": (["--image-size", "-1"], "--image-size -1 must be positive"),
    "both lengths": (["--steps", "5", "--epochs", "2"], "give one of them"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_sentence(case, photo_folder, tmp_path):
    arguments, sentence = BAD[case]
    start = ["--data", photo_folder, "--model", "ResNet20", "--image-size", 32, "--batch-size", 4]
    kept = [a for i in range(0, len(start), 2) if start[i] not in arguments for a in start[i : i + 2]]
    done = run("imagenet", *kept, *arguments, "--workdir", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "checkpoints").exists() or not any((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.parametrize("value", ["float8", "mixed"])
def test_an_unknown_precision_lists_the_valid_ones(value, tmp_path):
    done = run("imagenet", "--precision", value, "--workdir", tmp_path / "run")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for valid in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert valid in done.stderr


def test_a_workdir_that_cannot_be_written_or_holds_another_run(photo_folder, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("imagenet", *small(photo_folder, tmp_path / "file" / "run", "--steps", 3))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    workdir = tmp_path / "run"
    assert run("imagenet", *small(photo_folder, workdir, "--steps", 3)).returncode == 0
    before = (workdir / "result.json").read_bytes()
    done = run("imagenet", *small(photo_folder, workdir, "--steps", 6, "--seed", 1))
    assert done.returncode == 2
    assert "steps was 3 and is 6; seed was 0 and is 1" in done.stderr
    assert (workdir / "result.json").read_bytes() == before


def test_a_diverging_run_stops_and_keeps_no_broken_checkpoint(photo_folder, tmp_path):
    arguments = list(small(photo_folder, tmp_path / "run", "--steps", 30))
    arguments[arguments.index("--base-lr") + 1] = 1e30
    done = run("imagenet", *arguments)
    assert done.returncode == 2
    assert "loss is" in done.stderr
    assert "lower --base-lr" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").glob("checkpoints/step-*"))


def test_classes_that_differ_between_train_and_val(photo_folder, tmp_path):
    os.rename(photo_folder / "val" / "dog", photo_folder / "val" / "wolf")
    done = run("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 3))
    assert done.returncode == 2
    assert "only one of them has dog, wolf" in done.stderr
    assert "Traceback" not in done.stderr
