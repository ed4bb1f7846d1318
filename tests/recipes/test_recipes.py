"""The recipes, run as a user runs them: the files and messages that a command gives."""

import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, write_photos
from PIL import Image
from programs import load_program, run
from run_folders import run_of
from small_runs import IMAGENET, small

import keras_resnet
from keras_resnet import data

pytestmark = pytest.mark.long

KEYS = {"model", "steps", "seed", "val_error", "test_error", "images_per_second", "seconds", "settings", "command",
        "commit", "versions", "hardware", "val_examples", "val_split"}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of five epochs, what it printed, and its photos."""
    folder = tmp_path_factory.mktemp("trained")
    photos, workdir = write_photos(folder), folder / "runs" / "small"
    done = run(IMAGENET, *small(photos, workdir, *TRAINED))
    assert done.returncode == 0, done.stderr
    return photos, workdir, done


TRAINED = ("--epochs", 5, "--profile", 1, 2, "--precision", "mixed_bfloat16")


@pytest.mark.parametrize(
    ("recipe", "changed"),
    [
        ("imagenet", "image_size was 32 and is 224"),
        ("coco", "batch_size was 4 and is 2"),
        ("localization", "image_size was 96 and is 224"),
    ],
)
def test_a_folder_called_demo_is_not_the_built_in_set(recipe, changed, photo_folder, rectangles, tmp_path):
    """As the message says with which a run with the preset of the demo set is refused."""
    setting, number = changed.split()[0], int(changed.split()[2])
    folder = shutil.copytree(photo_folder if recipe == "imagenet" else rectangles, tmp_path / "demo")
    workdir = run_of(tmp_path / "run", {"model": "ResNet18", "data": str(folder), setting: number})
    done = run(f"recipes/{recipe}.py", "--model", "ResNet18", "--data", folder, "--workdir", workdir)
    assert (done.returncode, f"({changed})" in done.stderr.splitlines()[-1]) == (2, True), done.stderr


def test_a_folder_of_photos_is_trained_on(trained):
    photos, workdir, done = trained
    lines = done.stdout.splitlines()
    assert lines[0] == "photos: 2 classes; photos: 12 in train, 4 in val"
    assert [line.split() for line in lines[4:6]] == [["cat", "6", "2"], ["dog", "6", "2"]]
    assert lines[7].startswith("settings: --model ResNet20")
    assert sum("val_error" in line for line in lines if line.startswith("epoch ")) == 5  # one line per epoch
    assert "retracing" not in done.stderr  # five validations recalibrate with one function
    result = json.loads((workdir / "result.json").read_text())
    assert result.keys() >= KEYS
    assert (result["model"], result["steps"], result["val_examples"]) == ("ResNet20", 15, 4)
    assert (result["test_error"], result["settings"]["batch_size"]) == (None, 4)
    assert f"validation error {result['val_error']:.2f} %" in done.stdout
    rows = list(csv.DictReader((workdir / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows if row["split"] == "validation"] == [3, 6, 9, 12, 15]
    assert Image.open(workdir / "curves.png").size[0] > 500
    for split in ("train", "validation"):
        assert list((workdir / split).glob("events.out.tfevents.*"))
    for name in ("best.keras", "last.keras"):
        model = keras.models.load_model(workdir / name)
        x = np.stack([np.asarray(Image.open(photos / "val" / c / "0.JPEG").resize((32, 32))) for c in ("cat", "dog")])
        assert model.predict(keras_resnet.preprocess_input(x, model), verbose=0).shape == (2, 2)
    view = data.ImageNetView(model.preprocessing, 32)
    validation = data.imagenet_batches(data.open_data(str(photos)).validation, view, 4)
    wrong = [np.argmax(model.predict(x, verbose=0), axis=1) != y.numpy() for x, y in validation]
    assert result["val_error"] == pytest.approx(100 * np.mean(wrong))  # of last.keras, with recalibrated statistics


def test_the_result_of_a_run_has_the_answers_by_class(trained):
    """The answers of ``last.keras`` give the same counts."""
    photos, workdir, done = trained
    result = json.loads((workdir / "result.json").read_text())
    model, validation = keras_resnet.load_model(str(workdir / "last.keras")), data.open_data(str(photos)).validation
    (batch,) = data.imagenet_batches(validation, data.ImageNetView(model.preprocessing, 32), 4)
    probabilities, labels = np.asarray(model(batch[0])), batch[1].numpy()
    right = probabilities.argmax(axis=1) == labels
    by_class = result["val_by_class"]
    assert [row["class"] for row in by_class["classes"]] == ["cat", "dog"]
    assert [row["right"] for row in by_class["classes"]] == [right[labels == label].sum() for label in (0, 1)]
    assert by_class["balanced_error"] == pytest.approx(result["val_error"])  # the classes are equally large
    assert sum(pair["count"] for pair in by_class["confused"]) == (~right).sum()
    assert all(Path(photo).is_file() for pair in by_class["confused"] for photo in pair["photos"])
    assert f"balanced error {by_class['balanced_error']:.2f} %; most confused: " in done.stdout
    rows = list(csv.reader((workdir / "confusion.csv").open(newline="")))
    assert np.trace([[int(cell) for cell in row[1:]] for row in rows[1:]]) == right.sum()
    for name in ("confusion.png", "reliability.png", "confused.png", "mistakes.png"):
        assert Image.open(workdir / name).size[0] > 100


def read_tags(folder):
    """The steps of every tag that TensorBoard reads from a folder, and the reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}, events


def test_tensorboard_shows_curves_health_pictures_settings_and_graph(trained):
    _, workdir, _ = trained
    train, events = read_tags(workdir / "train")
    validation, _ = read_tags(workdir / "validation")
    curves = {"loss", "error", "learning_rate", "images_per_second", "input_wait"}
    health = {f"{name}/{stage}" for name in ("stages_gradient_norm", "stages_update_over_weight")
              for stage in ("conv1", "conv2", "predictions")}  # fmt: skip
    health |= {f"{name}/conv{n}" for name in ("stages_bn_mean", "stages_bn_deviation") for n in (1, 2)}
    assert train.keys() == curves | health | {"inputs after augmentation"}
    at_the_end = {f"at the end/{name}" for name in ("confusion", "reliability", "confused", "mistakes")}
    assert validation.keys() - {"worst mistakes"} == at_the_end | {
        "loss",
        "error",
        "final/val_error",
        "_hparams_/session_start_info",
    }
    assert train["loss"] == train["stages_gradient_norm/conv2"] == [3, 6, 9, 12, 15]
    assert train["images_per_second"] == [12, 24, 36, 48, 60]  # the axis is images, not steps
    assert all(0 <= float(tf.make_ndarray(e.tensor_proto)) <= 1 for e in events.Tensors("input_wait"))
    assert any("predictions" in node.name for node in events.Graph() and read_graph(events).node)
    assert list((workdir / "train" / "plugins" / "profile").glob("*/*.xplane.pb"))


def read_graph(events):
    """The graph definition that was written."""
    return tf.compat.v1.GraphDef.FromString(events._graph)


def test_tensorboard_serves_the_curves_of_a_run(trained):
    """Started with the last line that the run printed, and queried as a browser does."""
    _, workdir, done = trained
    program, *folder = done.stdout.splitlines()[-1].removeprefix("curves: ").split()
    (port,) = load_program("tools/launch_local.py").free_ports(1)
    command = [str(Path(sys.executable).with_name(program)), *folder, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            address = f"http://localhost:{port}/data/plugin/scalars/scalars?run=small/train&tag=loss"
            served = [(step, value) for _, step, value in query(server, address)]
        finally:
            server.terminate()
    rows = [row for row in csv.DictReader((workdir / "metrics.csv").open()) if row["split"] == "train"]
    assert served == [(int(row["step"]), pytest.approx(float(row["loss"]), rel=1e-6)) for row in rows]


def query(server, address):
    """The answer of ``server``, repeated until it is up and has read the files."""
    until = time.monotonic() + 120
    while server.poll() is None:
        with contextlib.suppress(urllib.error.URLError):
            return json.load(urllib.request.urlopen(address))
        assert time.monotonic() < until, address
        time.sleep(0.1)
    raise AssertionError(f"{server.args} ended with status {server.returncode}")


LEARNED = [  # further arguments, and the highest error in percent; chance is 90
    pytest.param(("--epochs", 2, "--change", "blocks=[1,1,1]"), 80, id="2 epochs"),
    pytest.param((), 10, id="whole", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("more", "highest"), LEARNED)
def test_the_demo_set_is_learned(more, highest, tmp_path):
    """By a user's first command, in an empty folder."""
    command = [sys.executable, ROOT / IMAGENET, *map(str, more)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("training on the built-in demo set")
    assert "oneDNN supports" not in done.stderr  # where it has no kernel
    (result,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(result.read_text())["val_error"] < highest


def test_cifar10_trains_and_reports_its_splits(real_data, tmp_path):
    """With the smallest network, because such a run spends most of its time in validation."""
    small = ("--change", "blocks=[1,1]", "filters=[4,8]", "--train-images", 500)
    arguments = ("--data-dir", real_data("tfds"), "--steps", 3, "--workdir", tmp_path / "run", *small)
    done = run("recipes/cifar10.py", *arguments)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["train_examples"], result["train_split"]) == (500, "500 of train[:45000]")
    assert (result["val_examples"], result["val_split"]) == (5000, "train[45000:]")
    assert (result["test_examples"], result["test_split"]) == (1000, "first 1,000 of test")


BAD = {
    "unknown model": (["--model", "ResNet19"], "model 'ResNet19' is not known: choose one of ResNet18"),
    "no such folder": (["--data", "no/such/folder"], "There is no folder no/such/folder"),
    "no such tfds": (["--data", "cifar10", "--data-dir", "/nowhere"], "no prepared data set 'cifar10' in /nowhere"),
    "too small": (["--model", "ResNet18", "--image-size", "20"], "height 20 is too small for the strides of ResNet18"),
    "zero batch": (["--batch-size", "0"], "--batch-size 0 must be a whole number from 1"),
    "negative size": (["--image-size", "-1"], "--image-size -1 must be a whole number from 1"),
    "empty workdir": (["--workdir", ""], "--workdir '' is empty: give a value, or leave --workdir out"),
    "both lengths": (["--steps", "5", "--epochs", "2"], "give only one of them"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_sentence(case, photo_folder, tmp_path):
    arguments, sentence = BAD[case]
    start = ["--data", photo_folder, "--model", "ResNet20", "--image-size", 32, "--batch-size", 4]
    others = [a for i in range(0, len(start), 2) if start[i] not in arguments for a in start[i : i + 2]]
    done = run(IMAGENET, *others, *arguments, "--workdir", tmp_path / "run")
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "checkpoints").exists() or not any((tmp_path / "run" / "checkpoints").iterdir())


@pytest.mark.parametrize("value", ["float8", "mixed"])
def test_an_unknown_precision_lists_the_valid_ones(value, tmp_path):
    done = run(IMAGENET, "--precision", value, "--workdir", tmp_path / "run")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for valid in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert valid in done.stderr


def test_a_workdir_that_cannot_be_written_or_holds_another_run_is_refused(trained, tmp_path):
    photos, workdir, _ = trained
    (tmp_path / "file").write_text("")
    done = run(IMAGENET, *small(photos, tmp_path / "file" / "run", "--steps", 3))
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    before = (workdir / "result.json").read_bytes()
    done = run(IMAGENET, *small(photos, workdir, *TRAINED, "--epochs", 4, "--seed", 1))
    assert done.returncode == 2
    assert "epochs was 5.0 and is 4.0; seed was 0 and is 1" in done.stderr
    assert (workdir / "result.json").read_bytes() == before


def test_a_diverging_run_goes_back_twice_and_stops(photo_folder, tmp_path):
    arguments = list(small(photo_folder, tmp_path / "run", "--steps", 30))
    arguments[arguments.index("--base-lr") + 1] = 1e30
    done = run(IMAGENET, *arguments)
    assert done.returncode == 2
    assert done.stdout.count("back to step 0, leaving out 3 batches") == 2
    assert "The loss or gradient of step 2 is not finite (batch 7 of the run's order, examples 28 to 31)" in done.stderr
    assert "lower --base-lr" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in (tmp_path / "run").glob("checkpoints/step-*")] == ["step-000000000"]


def test_the_modern_recipe_trains_and_saves_its_averaged_weights(photo_folder, tmp_path):
    done = run(IMAGENET, *small(photo_folder, tmp_path / "run", "--steps", 7), "--recipe", "modern",
               "--precision", "mixed_float16", "--own-colours",
               "--augment", "trivial", "erasing", "--loss", "binary")  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = json.loads((tmp_path / "run" / "result.json").read_text())["settings"]
    assert (settings["schedule"], settings["recipe"]) == ("cosine", "modern")
    with np.load(tmp_path / "run" / "checkpoints" / "step-000000007" / "variables.npz") as arrays:
        names = [name for name in arrays if "average" in name]
        averages = [arrays[name] for name in names]
        assert any("dynamic_scale" in name for name in arrays)  # loss scaling for float16
    last = keras.models.load_model(tmp_path / "run" / "last.keras")
    assert len(averages) == len(last.trainable_variables)
    for average, weight in zip(averages, last.trainable_variables, strict=True):
        np.testing.assert_array_equal(average, weight.numpy())


def test_different_classes_in_train_and_val_are_refused(photo_folder, tmp_path):
    os.rename(photo_folder / "val" / "dog", photo_folder / "val" / "wolf")
    done = run(IMAGENET, *small(photo_folder, tmp_path / "run", "--steps", 3))
    assert done.returncode == 2
    assert "only val has photos of wolf" in done.stderr
    assert "Traceback" not in done.stderr
