"""Several workers train one run, stop together and fail together."""

import json
import signal
import subprocess
import sys

import pytest
from conftest import ROOT
from programs import start_workers
from small_runs import IMAGENET, small, until_step

from keras_resnet.training.files.checkpoints import CheckpointFolder

pytestmark = pytest.mark.long


def test_two_workers_train_validate_and_save_once(photo_folder, tmp_path):
    """Two processes with the environment that ``tools/launch_local.py`` gives them."""
    workers = start_workers(IMAGENET, *small(photo_folder, tmp_path / "run", "--steps", 4))
    ends = [worker.ended() for worker in workers]
    for done in ends:
        assert done.returncode == 0, done.stderr[-3000:]
    assert [done.stdout.count("validation error") for done in ends] == [1, 0]  # only the chief prints
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["devices"], result["steps"]) == (2, 4)


@pytest.mark.slow
def test_the_launcher_starts_two_workers_of_a_run(photo_folder, tmp_path):
    command = [sys.executable, ROOT / "tools" / "launch_local.py", 2, ROOT / IMAGENET]
    command += small(photo_folder, tmp_path / "run", "--steps", 7)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:]
    assert done.stdout.count("validation error") == 1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["devices"], result["steps"]) == (2, 7)


@pytest.mark.slow
def test_a_signal_to_one_worker_ends_all_after_the_same_step(photo_folder, tmp_path):
    workdir = tmp_path / "run"
    workers = start_workers(IMAGENET, *small(photo_folder, workdir, "--steps", 100_000))
    with workers[0], workers[1]:
        until_step(workers[0], workdir, 3)
        workers[1].send_signal(signal.SIGTERM)
        ends = [worker.ended(120) for worker in workers]
    for done in ends:
        assert done.returncode == 143, done.stderr
        assert done.stderr.count("stopped; the same command continues") == 1
    assert CheckpointFolder(workdir / "checkpoints").newest()[1]["step"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_worker_that_is_killed_ends_the_other_with_a_sentence(killed, photo_folder, tmp_path):
    workers = start_workers(IMAGENET, *small(photo_folder, tmp_path / "run", "--steps", 100_000))
    with workers[0], workers[1]:
        until_step(workers[0], tmp_path / "run", 3)
        workers[killed].send_signal(signal.SIGKILL)
        done = workers[1 - killed].ended(120)
    assert done.returncode == 2, done.stderr[-3000:]
    assert "Another worker of this run has ended or cannot be reached" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


FAILURES = {  # on one worker: its number, the message of all workers, and how often they name that worker
    "full": (0, "The checkpoint of step 0 cannot be written", 1),
    "unlockable": (0, "is on a file system without locks", 1),
    "unreadable": (1, "There is no folder /nowhere", 1),
    "infinite": (1, "has happened 2 times before with other batches", 0),  # in the sum of all losses
    "none": (1, "--batch-size 5 does not divide among 2 devices: take 4 or 6", 0),
}


@pytest.mark.parametrize(
    "failure", [pytest.param(name, marks=pytest.mark.slow if name == "infinite" else ()) for name in FAILURES]
)
def test_a_failure_on_one_worker_ends_all_with_its_message(failure, photo_folder, tmp_path):
    number, sentence, named = FAILURES[failure]
    arguments = list(small(photo_folder, tmp_path / "run", "--steps", 7))
    if failure == "none":
        arguments[arguments.index("--batch-size") + 1] = 5
    wrapper = ("tests/recipes/fail_on_one_worker.py", number, failure, ROOT / IMAGENET)
    messages = ""
    for done in [worker.ended(120) for worker in start_workers(*wrapper, *arguments)]:
        assert done.returncode == 2, done.stderr[-3000:]
        (message,) = [line for line in done.stderr.splitlines() if sentence in line]
        assert message.startswith("imagenet.py: ")
        assert "Traceback" not in done.stderr
        messages += message
    assert messages.count(f"worker {number} failed") == named
