"""The recipes, run as a user runs them: command in, files and sentences out."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import ROOT, write_photos
from PIL import Image

import keras_resnet
from keras_resnet import data
from keras_resnet.training.checkpoints import CheckpointFolder

KEYS = {"model", "steps", "seed", "val_error", "test_error", "images_per_second", "seconds", "settings", "command",
        "commit", "versions", "hardware", "val_examples", "val_split"}  # fmt: skip


def command(recipe, *arguments):
    return [sys.executable, str(ROOT / "recipes" / f"{recipe}.py"), *map(str, arguments)]


def run(recipe, *arguments, **how):
    return subprocess.run(command(recipe, *arguments), capture_output=True, text=True, timeout=1800, **how)


def small(photo_folder, workdir, *more):
    """A run of 12 images, 3 steps an epoch; a block a stage, since building steps is most of such a run's time."""
    return ("--data", photo_folder, "--model", "ResNet20", "--change", "blocks=[1,1,1]", "--image-size", 32,
            "--batch-size", 4, "--base-lr", 0.5, "--workdir", workdir, *more)  # fmt: skip


def test_a_folder_of_photos_is_trained_on(photo_folder, tmp_path):
    workdir = tmp_path / "runs" / "mine"
    done = run("imagenet", *small(photo_folder, workdir, "--epochs", 5))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("settings: --model ResNet20")
    assert sum("val_error" in line for line in lines if line.startswith("epoch ")) == 5  # a line an epoch
    assert "retracing" not in done.stderr  # five validations recalibrate in one function
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
        x = np.stack(
            [np.asarray(Image.open(photo_folder / "val" / c / "0.JPEG").resize((32, 32))) for c in ("cat", "dog")]
        )
        assert model.predict(keras_resnet.preprocess_input(x, model), verbose=0).shape == (2, 2)
    validation = data.imagenet_batches(data.open_data(str(photo_folder)).validation, model.preprocessing, 4, 32)
    wrong = [np.argmax(model.predict(x, verbose=0), axis=1) != y.numpy() for x, y in validation]
    assert result["val_error"] == pytest.approx(100 * np.mean(wrong))  # of last.keras, statistics recalibrated


def tags_of(folder):
    """Tag to steps of everything TensorBoard reads from a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return {tag: [event.step for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}, events


def test_tensorboard_shows_curves_health_pictures_settings_and_graph(photo_folder, tmp_path):
    more = ("--steps", 6, "--profile", 1, 2, "--precision", "mixed_bfloat16")
    done = run("imagenet", *small(photo_folder, tmp_path / "run", *more))
    assert done.returncode == 0, done.stderr
    train, events = tags_of(tmp_path / "run" / "train")
    validation, _ = tags_of(tmp_path / "run" / "validation")
    curves = {"loss", "error", "learning_rate", "images_per_second", "input_wait"}
    health = {f"{what}/{stage}" for what in ("stages_gradient_norm", "stages_update_over_weight")
              for stage in ("conv1", "conv2", "conv3", "conv4", "predictions")}  # fmt: skip
    health |= {f"{what}/conv{n}" for what in ("stages_bn_mean", "stages_bn_deviation") for n in (1, 2, 3, 4)}
    assert train.keys() == curves | health | {"inputs after augmentation"}
    assert validation.keys() - {"worst mistakes"} == {
        "loss",
        "error",
        "final/val_error",
        "_hparams_/session_start_info",
    }
    assert train["loss"] == train["stages_gradient_norm/conv3"] == [3, 6]
    assert train["images_per_second"] == [12, 24]  # over images, not steps
    assert all(0 <= float(tf.make_ndarray(e.tensor_proto)) <= 1 for e in events.Tensors("input_wait"))
    assert any("predictions" in node.name for node in events.Graph() and read_graph(events).node)
    assert list((tmp_path / "run" / "train" / "plugins" / "profile").glob("*/*.xplane.pb"))


def read_graph(events):
    """The graph definition that was written."""
    return tf.compat.v1.GraphDef.FromString(events._graph)


EQUAL = ("split", "step", "images", "loss", "error", "learning_rate")


def end_of(workdir):
    """What two equal runs have in common: curves, all variables and the network."""
    with (workdir / "metrics.csv").open() as file:
        curves = [[row[column] for column in EQUAL] for row in csv.DictReader(file)]
    last = max(workdir.glob("checkpoints/step-*"))
    with np.load(last / "variables.npz") as arrays:
        variables = {name: arrays[name] for name in arrays}
    weights = keras.models.load_model(workdir / "last.keras").get_weights()
    return curves, variables | {f"last {i}": w for i, w in enumerate(weights)}


def assert_equal_runs(workdir, other):
    (curves, arrays), (other_curves, other_arrays) = end_of(workdir), end_of(other)
    assert curves == other_curves
    assert arrays.keys() == other_arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(value, other_arrays[name], err_msg=name)


LONG = ("--steps", 40, "--save-every", 7)  # epochs of 3 steps


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run never stopped, and its photos."""
    folder = tmp_path_factory.mktemp("whole")
    photos = write_photos(folder)
    done = run("imagenet", *small(photos, folder / "run", *LONG))
    assert done.returncode == 0, done.stderr
    return photos, folder / "run"


def until_step(process, workdir, step):
    """Wait for a checkpoint of at least ``step``."""
    while max((int(p.name[5:]) for p in workdir.glob("checkpoints/step-*")), default=0) < step:
        assert process.poll() is None, f"it ended before step {step}"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [("SIGKILL", -9), ("SIGTERM", 143), ("SIGINT", 130)])
def test_a_run_ended_by_a_signal_continues_to_the_same_end(number, status, whole, tmp_path):
    """Weights, statistics, momentum, rates and curves equal, bit for bit, those of the run never stopped."""
    photos, reference = whole
    workdir = tmp_path / "run"
    arguments = small(photos, workdir, *LONG)
    with subprocess.Popen(command("imagenet", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until_step(process, workdir, 7)
        process.send_signal(getattr(signal, number))
        _, errors = process.communicate()
    assert process.returncode == status, errors
    assert number == "SIGKILL" or b"saving a checkpoint first" in errors
    assert b"Traceback" not in errors
    assert not (workdir / "result.json").exists()
    done = run("imagenet", *arguments)
    assert done.returncode == 0, done.stderr
    assert "continuing at step" in done.stdout
    assert_equal_runs(reference, workdir)


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_only_its_steps(whole, tmp_path):
    photos, reference = whole
    workdir = tmp_path / "run"
    arguments = small(photos, workdir, *LONG)
    with subprocess.Popen(command("imagenet", *arguments), stdout=subprocess.DEVNULL) as process:
        until_step(process, workdir, 9)
        process.kill()
    newest = max(workdir.glob("checkpoints/step-*"))
    content = (newest / "variables.npz").read_bytes()
    (newest / "variables.npz").write_bytes(content[: len(content) // 2])
    done = run("imagenet", *arguments)
    assert done.returncode == 0, done.stderr
    assert f"{newest} is damaged" in done.stderr
    assert_equal_runs(reference, workdir)


@pytest.mark.slow
def test_a_second_signal_ends_at_once_and_a_running_workdir_is_refused(photo_folder, tmp_path):
    workdir = tmp_path / "run"
    arguments = small(photo_folder, workdir, "--steps", 100_000)
    with subprocess.Popen(command("imagenet", *arguments), stdout=subprocess.DEVNULL) as process:
        until_step(process, workdir, 3)
        other = run("imagenet", *arguments)
        assert other.returncode == 2
        assert "in use by another process" in other.stderr
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    assert CheckpointFolder(workdir / "checkpoints").newest()[1]["step"] >= 3


@pytest.mark.slow
def test_two_workers_train_validate_and_save_once(photo_folder, tmp_path):
    launch = [sys.executable, str(ROOT / "tools" / "launch_local.py"), "2"]
    arguments = command("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 7))
    done = subprocess.run([*launch, *arguments[1:]], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("validation error") == 1  # the chief speaks
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["devices"], result["steps"]) == (2, 7)
    odd = list(small(photo_folder, tmp_path / "odd", "--steps", 7))
    odd[odd.index("--batch-size") + 1] = 5
    done = subprocess.run([*launch, *command("imagenet", *odd)[1:]], capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert "--batch-size 5 does not divide among 2 devices: take 4 or 6" in done.stdout


@pytest.mark.slow
def test_a_signal_to_one_worker_ends_all_after_the_same_step(photo_folder, tmp_path):
    workdir = tmp_path / "run"
    arguments = command("imagenet", *small(photo_folder, workdir, "--steps", 100_000))[1:]
    launch = [sys.executable, str(ROOT / "tools" / "launch_local.py"), "2", *arguments]
    with subprocess.Popen(launch, stdout=subprocess.PIPE, text=True) as process:
        until_step(process, workdir, 3)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGTERM)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 143, said
    assert sum("stopped; the same command continues" in line for line in said.splitlines()) == 2
    assert "ended by force" not in said
    assert CheckpointFolder(workdir / "checkpoints").newest()[1]["step"] >= 3


FAILURES = {  # on one worker: its number, what all must say, and how often they name it
    "full": (0, "The checkpoint of step 0 cannot be written", 1),
    "unlockable": (0, "is on a file system without locks", 1),
    "unreadable": (1, "There is no folder /nowhere/train", 1),
    "infinite": (1, "was 2 times before with other batches", 0),  # of the loss of all, so that all see it
}


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_on_one_worker_ends_all_with_its_sentence(failure, photo_folder, tmp_path):
    number, sentence, named = FAILURES[failure]
    wrapper = [str(ROOT / "tests" / "recipes" / "fail_on_one_worker.py"), str(number), failure]
    arguments = command("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 7))[1:]
    launch = [sys.executable, str(ROOT / "tools" / "launch_local.py"), "2", *wrapper, *arguments]
    done = subprocess.run(launch, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2, done.stdout[-3000:]
    said = [line for line in done.stdout.splitlines() if sentence in line]
    assert len(said) == 2, done.stdout[-3000:]
    assert {line.split(":")[0] for line in said} == {"[0] imagenet.py", "[1] imagenet.py"}
    assert "".join(said).count(f"worker {number} failed") == named
    assert "Traceback" not in done.stdout
    assert "ended by force" not in done.stdout


@pytest.mark.slow
def test_without_arguments_the_demo_set_is_learned(tmp_path):
    fast = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}  # TensorFlow's choice only where the processor has AVX-512
    done = run("imagenet", cwd=tmp_path, env=fast)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("training on the built-in demo set")
    (result,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(result.read_text())["val_error"] < 10


def test_cifar10_trains_and_reports_its_splits(real_data, tmp_path):
    done = run("cifar10", "--data-dir", real_data("tfds"), "--steps", 3, "--workdir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["val_examples"], result["val_split"]) == (5000, "train[45000:]")
    assert (result["test_examples"], result["test_split"]) == (1000, "first 1,000 of test")


BAD = {
    "unknown model": (["--model", "ResNet19"], "model 'ResNet19' is not known: choose one of ResNet18"),
    "no such folder": (["--data", "no/such/folder"], "There is no folder no/such/folder/train"),
    "no such tfds": (["--data", "cifar10", "--data-dir", "/nowhere"], "no prepared data set 'cifar10' in /nowhere"),
    "too small": (["--model", "ResNet18", "--image-size", "20"], "height 20 is too small for the strides of ResNet18"),
    "zero batch": (["--batch-size", "0"], "--batch-size 0 must be a whole number from 1"),
    "negative size": (["--image-size", "-1"], "--image-size -1 must be a whole number from 1"),
    "empty workdir": (["--workdir", ""], "--workdir '' is empty: give a value, or leave --workdir out"),
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
    done = run("imagenet", *small(photo_folder, workdir, "--steps", 2, "--seed", 1))
    assert done.returncode == 2
    assert "steps was 3 and is 2; seed was 0 and is 1" in done.stderr
    assert (workdir / "result.json").read_bytes() == before


def test_a_diverging_run_goes_back_twice_and_stops(photo_folder, tmp_path):
    arguments = list(small(photo_folder, tmp_path / "run", "--steps", 30))
    arguments[arguments.index("--base-lr") + 1] = 1e30
    done = run("imagenet", *arguments)
    assert done.returncode == 2
    assert done.stdout.count("back to step 0, leaving out 3 batches") == 2
    assert "The loss or gradient of step 2 is not finite (batch 7 of the run's order, examples 28 to 31)" in done.stderr
    assert "lower --base-lr" in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in (tmp_path / "run").glob("checkpoints/step-*")] == ["step-000000000"]


def test_the_modern_recipe_trains_and_saves_its_averaged_weights(photo_folder, tmp_path):
    done = run("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 7), "--recipe", "modern",
               "--precision", "mixed_float16", "--own-colours")  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = json.loads((tmp_path / "run" / "result.json").read_text())["settings"]
    assert (settings["schedule"], settings["recipe"]) == ("cosine", "modern")
    with np.load(tmp_path / "run" / "checkpoints" / "step-000000007" / "variables.npz") as arrays:
        names = [name for name in arrays if "average" in name]
        averages = [arrays[name] for name in names]
        assert any("dynamic_scale" in name for name in arrays)  # of the loss, for float16
    last = keras.models.load_model(tmp_path / "run" / "last.keras")
    assert len(averages) == len(last.trainable_variables)
    for average, weight in zip(averages, last.trainable_variables, strict=True):
        np.testing.assert_array_equal(average, weight.numpy())


def test_classes_that_differ_between_train_and_val(photo_folder, tmp_path):
    os.rename(photo_folder / "val" / "dog", photo_folder / "val" / "wolf")
    done = run("imagenet", *small(photo_folder, tmp_path / "run", "--steps", 3))
    assert done.returncode == 2
    assert "only one of them has dog, wolf" in done.stderr
    assert "Traceback" not in done.stderr
