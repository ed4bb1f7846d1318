"""Runs that a signal ends, at once or with a checkpoint, and that the same command continues."""

import csv
import resource
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT
from programs import Program, run
from small_runs import IMAGENET, newest_of, small, until_step

from keras_resnet.training.files.checkpoints import CheckpointFolder

pytestmark = pytest.mark.long

EQUAL = ("split", "step", "images", "loss", "error", "learning_rate")


def read_run(workdir):
    """The curves, all variables and the network of a finished run."""
    with (workdir / "metrics.csv").open() as file:
        curves = [[row[column] for column in EQUAL] for row in csv.DictReader(file)]
    last = max(workdir.glob("checkpoints/step-*"))
    with np.load(last / "variables.npz") as arrays:
        variables = {name: arrays[name] for name in arrays}
    weights = keras.models.load_model(workdir / "last.keras").get_weights()
    return curves, variables | {f"last {i}": w for i, w in enumerate(weights)}


def assert_equal_runs(workdir, other):
    (curves, arrays), (other_curves, other_arrays) = read_run(workdir), read_run(other)
    assert curves == other_curves
    assert arrays.keys() == other_arrays.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(value, other_arrays[name], err_msg=name)


LONG = ("--steps", 60, "--save-every", 7, "--batch-size", 2)  # epochs of 6 steps


@pytest.mark.slow
def test_a_run_ended_again_and_again_equals_one_that_was_never_stopped(photo_folder, tmp_path):
    """It is ended by three signals, and after SIGKILL its newest checkpoint is damaged: weights, statistics, momentum,
    rates and curves are equal bit for bit."""
    whole = run(IMAGENET, *small(photo_folder, tmp_path / "whole", *LONG))
    assert whole.returncode == 0, whole.stderr
    workdir, processes = tmp_path / "run", []
    arguments = small(photo_folder, workdir, *LONG)
    for number, status in ((signal.SIGTERM, 143), (signal.SIGKILL, -9), (signal.SIGINT, 130)):
        with Program(IMAGENET, *arguments) as program:
            until_step(program, workdir, newest_of(workdir) + 7)
            program.send_signal(number)
            done = program.ended()
        processes.append(done)
        assert done.returncode == status, done.stderr
        assert ("saving a checkpoint first" in done.stderr) == (number != signal.SIGKILL)
        assert "Traceback" not in done.stderr
        assert not (workdir / "result.json").exists()
        if number == signal.SIGKILL:
            newest = max(workdir.glob("checkpoints/step-*"))
            content = (newest / "variables.npz").read_bytes()
            (newest / "variables.npz").write_bytes(content[: len(content) // 2])
    assert f"{newest} is damaged" in processes[2].stderr
    done = run(IMAGENET, *arguments)
    assert done.returncode == 0, done.stderr
    assert all("continuing at step" in process.stdout for process in (*processes[1:], done))
    assert_equal_runs(tmp_path / "whole", workdir)


def test_event_files_that_cannot_grow_end_a_run_in_one_sentence(photo_folder, tmp_path):
    """TensorFlow's own error for them is none of the system's, so it needs words of ours."""
    arguments = small(
        photo_folder, tmp_path / "run", "--change", "blocks=[1]", "filters=[4]", "--image-size", 16, "--steps", 6
    )
    command = [sys.executable, ROOT / IMAGENET, *map(str, arguments)]  # its output goes to pipes, which have no limit
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited_to_16_kilobytes)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    words = "run/train cannot be written (File too large); the checkpoints are intact: make room there"
    assert words in done.stderr.splitlines()[-1]


def limited_to_16_kilobytes():
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))


def test_a_second_signal_ends_at_once_and_a_running_workdir_is_refused(photo_folder, tmp_path):
    workdir = tmp_path / "run"
    arguments = small(photo_folder, workdir, "--steps", 100_000)
    with Program(IMAGENET, *arguments) as program:
        until_step(program, workdir, 3)
        other = run(IMAGENET, *arguments)
        assert other.returncode == 2
        assert "in use by another process" in other.stderr
        for _ in range(2):
            program.send_signal(signal.SIGTERM)
        assert program.ended(20).returncode == 143
    assert CheckpointFolder(workdir / "checkpoints").newest()[1]["step"] >= 3
