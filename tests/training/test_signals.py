"""A program that gets a signal says that it stops and ends with the signal's status, wherever it is."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from programs import run
from small_runs import small

from keras_resnet.training.files.checkpoints import CheckpointFolder

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("stop_by_signal.py")


def run_stopped(moment, number, *arguments):
    words = (SCRIPT, moment, number, ROOT / "recipes" / "imagenet.py", *arguments)
    if moment != "import":
        return run(*words)
    command = [sys.executable, *map(str, words)]  # in a new process, which has imported nothing
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


@pytest.mark.parametrize(
    ("moment", "number", "status"), [("import", "SIGINT", -2), ("begin", "SIGTERM", 143), ("begin", "SIGINT", 130)]
)
def test_before_training(moment, number, status, tmp_path):
    done = run_stopped(moment, number, "--workdir", tmp_path / "run")
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert ("stopped; the same command continues" in done.stderr) == (moment == "begin")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_stopped_before_its_final_answers_is_finished_by_the_same_command(photo_folder, tmp_path):
    arguments = small(photo_folder, tmp_path / "run", "--steps", 2)
    done = run_stopped("end", "SIGTERM", *arguments)
    assert done.returncode == 143, done.stderr
    assert "stopped; the same command continues" in done.stderr
    assert "Traceback" not in done.stderr
    assert CheckpointFolder(tmp_path / "run" / "checkpoints").newest()[1]["step"] == 2
    assert not (tmp_path / "run" / "last.keras").exists()
    assert run("recipes/imagenet.py", *arguments).returncode == 0
    assert (tmp_path / "run" / "result.json").exists()
