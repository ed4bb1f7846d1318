"""Two workers of one run, of which one is killed or fails alone; all are started again with the same command."""

import fcntl
import functools
import json
import os
import random
import signal
import tempfile
from pathlib import Path

import numpy as np
from hostile_kills import EQUAL, PATIENCE, RUN, die_at, in_fork, prepare
from hostile_workdirs import shared_folder
from processes import all_ended, effect, limit_files, refused, served, workers
from watching import Case, StateChanged

STEPS = (1, 2)  # of four, with a checkpoint each
LOSS = EQUAL.index("loss")
FULL_AT = (500, 5_000, 20_000, 60_000)  # bytes to which files may grow


@functools.cache
def undisturbed_workers() -> object:
    """What two undisturbed workers give."""
    with tempfile.TemporaryDirectory(dir=shared_folder().name) as place:
        folder = Path(place)
        prepare(folder)

        def train():
            os.chdir(folder)
            for worker in workers(RUN.words, folder):
                served(worker)
            (folder / "given").write_text(json.dumps(RUN.result(folder)))

        if in_fork(train):
            raise RuntimeError("two workers do not work undisturbed")
        return json.loads((folder / "given").read_text())


def again(folder: Path) -> None:
    """Start both workers with the same command; together they must give what they give undisturbed."""
    with all_ended(workers(RUN.words, folder)) as started:
        for worker in started:
            served(worker)
    check_curves(RUN.result(folder), undisturbed_workers())


def check_curves(given, expected) -> None:
    """Equal digit for digit, but for the training loss: the workers' sums of an epoch that was interrupted are added to
    each other first, so that its last digit may differ."""
    losses = [[row[LOSS] for row in rows if row[0] == "train"] for rows, _ in (given, expected)]
    others = [
        [(*row[:LOSS], *row[LOSS + 1 :]) if row[0] == "train" else tuple(row) for row in rows] + [error]
        for rows, error in (given, expected)
    ]
    if others[0] != others[1] or not np.allclose(*losses, rtol=1e-6, atol=0):
        raise StateChanged(f"the same command gave {given} instead of {expected}")


def has_step(folder: Path, step: int):
    return lambda: any(int(path.name[5:]) >= step for path in folder.glob("run/checkpoints/step-*"))


def killed_worker(draw: random.Random) -> Case:
    number, step = draw.randrange(2), draw.choice(STEPS)
    operation = draw.randrange(120) if number == 0 and draw.random() < 0.5 else None
    undisturbed_workers()

    def use(folder):
        before = {number: die_at(operation)} if operation is not None else {}
        with all_ended(workers(RUN.words, folder, before=before)) as started:
            if operation is None:
                effect(
                    started[number].until(has_step(folder, step)), f"no step {step}: {started[number].said()[-500:]}"
                )
                started[number].kill()
            effect(started[number].ended() == -signal.SIGKILL, f"not killed: {started[number].said()[-500:]}")
            refused(started[1 - number], "worker")
        again(folder)

    moment = f"file operation {operation}" if operation is not None else f"step {step}"
    return Case(f"worker {number} of two killed at {moment}", prepare, use, ("*",), "served", patience=PATIENCE)


def first_worker_alone(draw: random.Random) -> Case:
    kind = draw.choice(("lock", "disk", "disk", "disk", "disk of the other"))
    size = draw.choice(FULL_AT)
    undisturbed_workers()

    def locked(folder):
        (folder / "run").mkdir()
        with open(folder / "run" / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with all_ended(workers(RUN.words, folder)) as started:
                for worker in started:
                    refused(worker, "in use by another process")
        again(folder)

    def full(folder):
        with all_ended(workers(RUN.words, folder, before={0: lambda: limit_files(size)})) as started:
            for worker in started:
                refused(worker, "cannot be written")
        again(folder)

    def full_elsewhere(folder):  # where nothing is written
        with all_ended(workers(RUN.words, folder, before={1: lambda: limit_files(size)})) as started:
            for worker in started:
                served(worker)
        again(folder)

    names = {
        "lock": ("another process has locked the folder that two workers are given", locked),
        "disk": (f"the first of two workers has a disk that is full at {size} bytes", full),
        "disk of the other": (f"the second of two workers has a disk that is full at {size} bytes", full_elsewhere),
    }
    name, use = names[kind]
    return Case(name, prepare, use, ("*",), "served", patience=PATIENCE)
