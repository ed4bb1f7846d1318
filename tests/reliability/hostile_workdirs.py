"""Folders of other programs given as --workdir, and folders that change during a run."""

import functools
import itertools
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hostile_run_parts import ROOT, Draw, clear, junk, name_of_others, on_a_run, put
from run_folders import FULL, go_on
from watching import Case, StateChanged

from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.ownership import MARKER
from keras_resnet.training.files.workdir import Workdir

RECIPES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "recipes").rglob("*.py"))


def folder_of_others(draw: Draw) -> Case:
    names = {name_of_others(draw) for _ in range(draw.randint(1, 4))}
    names |= set(draw.sample(("settings.json", "metrics.csv", "best.keras", "result.json", "curves.png"), 2))
    kind, content = junk(draw)

    def use(folder):
        Workdir(folder / "run", FULL)

    def prepare(folder):
        for name in names:
            put(folder / "run" / name, content[: 10**5])

    return Case(f"a folder of {sorted(map(ascii, names))} with {kind}", prepare, use, must="refused")


def special_files_of_others(draw: Draw) -> Case:
    kind = draw.choice(
        ("fifo", "dangling link", "link to a folder", "empty folder", "lock of others", "marker of others")
    )
    name, (description, content) = name_of_others(draw).replace("/", "-"), junk(draw)

    def prepare(folder):
        place = folder / "run" / name
        place.parent.mkdir()
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "empty folder":
            place.mkdir()
        elif "link" in kind:
            place.symlink_to("nowhere" if "dangling" in kind else "..")
        else:
            put(place.with_name("lock" if "lock" in kind else MARKER), content + b" ")

    return Case(
        f"a folder with a {kind}, {name!a}, {description}",
        prepare,
        lambda folder: Workdir(folder / "run", FULL),
        must="refused",
    )


def files_of_others_in_a_run(draw: Draw) -> Case:
    names = {name_of_others(draw) for _ in range(draw.randint(1, 5))} - {"train", "validation"}
    return on_a_run(f"a run with {sorted(map(ascii, names))}", lambda run: [put(run / name) for name in names])


def deleted_in_mid_run(draw: Draw) -> Case:
    gone = draw.choice((".", "lock", "checkpoints", "metrics.csv", "settings.json", MARKER, "moved", "another run's"))
    first, more = draw.randrange(3), draw.randrange(1, 5)
    refused = gone in (".", "lock", "moved", "another run's")

    def use(folder):
        run = folder / "run"
        workdir = Workdir(run, FULL)
        go_on_with = [20 + step for step in range(first)]

        def steps():
            yield from go_on_with
            if gone == "moved":
                run.rename(folder / "elsewhere")
            else:
                clear(run if gone in (".", "another run's") else run / gone)
            if gone == "another run's":
                Workdir(run, FULL | {"seed": 1}).close()
            yield from (40 + step for step in range(more))

        go_on(workdir, steps())

    case = on_a_run(f"{gone} deleted after {first} and before {more} checkpoints", lambda run: None, use)
    return Case(
        case.name, case.prepare, use, ("run", "run/*", "elsewhere", "elsewhere/*"), "refused" if refused else None
    )


def empty_workdir(draw: Draw) -> Case:
    recipe, flag = draw.choice(RECIPES), draw.choice(("--workdir", "--data", "--data-dir"))
    more = draw.choice((["--batch-size", "4"], ["--seeds", "1"], [], ["--data", "here"]))

    def use(folder):
        program(recipe, *more, flag, "")

    return Case(f"{recipe} {flag} '' {' '.join(more)}", lambda folder: put(folder / "notes.txt"), use, must="refused")


def recipe_on_a_folder_of_others(draw: Draw) -> Case:
    names = sorted({name_of_others(draw).encode("ascii", "replace").decode() for _ in range(2)})
    arguments = draw.choice((["recipes/imagenet.py", "--data", photos()], ["recipes/studies/degradation.py"]))

    def prepare(folder):
        for name in names:
            put(folder / "run" / name)

    def use(folder):
        program(*arguments, "--workdir", "run")

    return Case(f"{arguments[0]} on a folder of {names}", prepare, use, must="refused")


def finished_run_asked_again(draw: Draw) -> Case:
    """It answers from its last checkpoint whatever else is damaged."""
    file, (kind, content) = draw.choice(("settings.json", "metrics.csv", "result.json", MARKER, "train")), junk(draw)
    finished = finished_run()

    def prepare(folder):
        shutil.copytree(finished, folder / "run")
        if file == "train":
            shutil.rmtree(folder / "run" / "train")
        put(folder / "run" / file, content)

    def use(folder):
        program("recipes/imagenet.py", *SMALL, "--data", photos(), "--workdir", "run")
        before, now = (json.loads((path / "result.json").read_text()) for path in (finished, folder / "run"))
        if (before["steps"], before["val_error"]) != (now["steps"], now["val_error"]):
            raise StateChanged("another result")
        if read_metrics(finished / "metrics.csv") != read_metrics(folder / "run" / "metrics.csv"):
            raise StateChanged("other curves")

    return Case(f"a finished run whose {file} is {kind}", prepare, use, ("run", "run/*"), "served")


def program(script: str, *arguments: str) -> None:
    """Run a recipe as a user does."""
    sys.argv = [script, *map(str, arguments)]
    runpy.run_path(str(ROOT / script), run_name="__main__")


SMALL = ("--model", "ResNet20", "--change", "blocks=[1]", "filters=[8]", "--image-size", "32", "--batch-size", "4",
         "--steps", "2")  # fmt: skip


@functools.cache
def shared_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="hostile-shared-")


@functools.cache
def photos() -> str:
    from PIL import Image

    folder = Path(shared_folder().name) / "photos"
    for split, label in itertools.product(("train", "val"), ("cat", "dog")):
        (folder / split / label).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (40, 36), (60 * number, 90 * (label == "cat"), 50)).save(
                folder / split / label / f"{number}.png"
            )
    return str(folder)


@functools.cache
def finished_run() -> Path:
    folder = Path(shared_folder().name) / "run"
    command = [sys.executable, ROOT / "recipes" / "imagenet.py", *SMALL, "--data", photos(), "--workdir", folder]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return folder
