"""Programs that are killed at one of their file operations: what they leave, and whether the same command goes on."""

import functools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hostile_archives
import numpy as np
from hostile_workdirs import photos, shared_folder
from processes import Process, effect, served
from watching import Case, StateChanged

from keras_resnet.files import sha256_of
from keras_resnet.training.files.metrics_file import read_metrics

OPERATIONS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")  # Python's audit events
PATIENCE = 2400  # seconds by the clock for a case of several programs
EQUAL = ("split", "step", "loss", "error", "learning_rate")


def on_each_operation(place: Path, act: Callable[[int], None]) -> None:
    """Call ``act`` with a number, from 0, before each operation of this process that changes files below ``place``."""
    numbers = iter(range(10**9))

    def hook(event, arguments):
        if event in OPERATIONS and isinstance(arguments[0], str | os.PathLike):
            reads = event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if not reads and os.path.abspath(arguments[0]).startswith(f"{place}{os.sep}"):
                act(next(numbers))

    sys.addaudithook(hook)


def die_at(number: int) -> Callable[[], None]:
    """Makes this process kill itself at one of its file operations in the current folder."""

    def before():
        on_each_operation(Path.cwd(), lambda n: os.kill(os.getpid(), signal.SIGKILL) if n == number else None)

    return before


@dataclass(frozen=True)
class Tool:
    """A command that writes files.

    Fields:
        words: the program and its arguments, in a folder with ``w.keras`` and ``photos``.
        result: what it has written, for comparison; None before it is whole.
        once: whether it refuses to write over a whole result.
    """

    words: tuple[str, ...]
    result: Callable[[Path], object]
    once: bool = False


def _hashes(folder: Path, pattern: str) -> object:
    return {str(path.relative_to(folder)): sha256_of(path) for path in sorted(folder.glob(pattern)) if path.is_file()}


def _records(folder: Path) -> object:
    manifest = folder / "out" / "records.json"
    if not manifest.exists() or not json.loads(manifest.read_text())["complete"]:
        return None
    return _hashes(folder, "out/*.tfrecord") | {"manifest": json.loads(manifest.read_text())}


def _errors(folder: Path) -> object:
    path = folder / "errors.json"
    return json.loads(path.read_text())["wrong"] if path.exists() else None


def _export(folder: Path) -> object:
    return _hashes(folder, "out/**/*") or None


def _npz(folder: Path) -> object:
    if not (folder / "w.npz").exists():
        return None
    with np.load(folder / "w.npz") as arrays:
        return {name: array.tolist() for name, array in arrays.items()}


def _run(folder: Path) -> object:
    """What a run must give however often it was killed: its curves and its last validation."""
    result = folder / "run" / "result.json"
    if not result.exists():
        return None
    rows = [[row.get(column) for column in EQUAL] for row in read_metrics(folder / "run" / "metrics.csv")]
    return rows, json.loads(result.read_text())["val_error"]


SMALL = ("--model", "ResNet20", "--change", "blocks=[1]", "filters=[4]", "--image-size", "16", "--batch-size", "4")
RUN = Tool(  # two epochs
    ("recipes/imagenet.py", *SMALL, "--steps", "4", "--save-every", "1", "--data", "photos", "--workdir", "run"), _run
)
TOOLS = {
    "conversion": Tool(("tools/convert_weights.py", "w.keras", "w.npz"), _npz),
    "record making": Tool(("tools/make_records.py", "--data", "photos", "--out", "out"), _records),
    "evaluation": Tool(
        ("tools/evaluate.py", "--model", "w.keras", "--data", "photos", "--json", "errors.json", "--by-class", "by"),
        _errors,
    ),
    "export": Tool(
        ("tools/export.py", "--model", "w.keras", "--data", "photos", "--out", "out", "--formats", "onnx"),
        _export,
        True,
    ),
}


@functools.cache
def network() -> Path:
    """A file with a small network, made in a fork: this process may not run TensorFlow before it forks others."""
    path = Path(shared_folder().name) / "w.keras"
    if in_fork(lambda: _named(hostile_archives.tiny()).save(path)):
        raise RuntimeError("the network cannot be made")
    return path


def _named(model):
    model.class_names = ("cat", "dog")
    return model


def in_fork(work: Callable[[], object]) -> int:
    """The status of a fork that does some work."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def prepare(folder: Path) -> None:
    """A network and photos to work on."""
    shutil.copytree(photos(), folder / "photos")
    shutil.copy(network(), folder / "w.keras")


@functools.cache
def undisturbed(name: str) -> tuple[int, object]:
    """How many file operations the command has, and what it gives; it runs in a process of its own."""
    tool = RUN if name == "run" else TOOLS[name]
    with tempfile.TemporaryDirectory(dir=shared_folder().name) as place:
        folder, result = Path(place) / "here", Path(place) / "result"
        folder.mkdir()
        prepare(folder)

        def count_operations():
            os.chdir(folder)
            with open(Path(place) / "count", "a") as count:
                write = functools.partial(os.write, count.fileno())
                before = functools.partial(on_each_operation, folder, lambda number: write(b"."))
                served(Process(tool.words, Path(place) / "log", cache(folder), before))
            result.write_text(json.dumps(tool.result(folder)))

        if in_fork(count_operations):
            raise RuntimeError(f"{name} does not work undisturbed")
        return len((Path(place) / "count").read_text()), json.loads(result.read_text())


def cache(folder: Path) -> dict[str, str]:
    """A cache of the case's own, so that nothing is answered from another case."""
    return {"XDG_CACHE_HOME": str(folder / "cache")}


def go_on(tool: Tool, folder: Path, expected: object) -> None:
    """Give the same command again; it must give what it gives undisturbed."""
    if tool.once and tool.result(folder) is not None:
        return
    served(Process(tool.words, folder / "log", cache(folder)))
    if json.loads(json.dumps(tool.result(folder))) != expected:
        raise StateChanged(f"the same command gave {tool.result(folder)!s:.300} instead of {expected!s:.300}")


def killed_tool(draw: random.Random) -> Case:
    return _killed(draw, draw.choice(list(TOOLS)))


def killed_run(draw: random.Random) -> Case:
    return _killed(draw, "run")


def _killed(draw: random.Random, name: str) -> Case:
    operations, expected = undisturbed(name)
    tool, number = RUN if name == "run" else TOOLS[name], draw.randrange(operations)

    def use(folder):
        killed = Process(tool.words, folder / "log", cache(folder), die_at(number))
        effect(killed.ended() == -signal.SIGKILL, f"{name} was not killed: {killed.said()[-500:]}")
        left = json.loads(json.dumps(tool.result(folder)))
        if left not in (None, expected):
            raise StateChanged(f"a killed {name} left {left!s:.300} instead of nothing or {expected!s:.300}")
        go_on(tool, folder, expected)

    title = f"{name} killed at file operation {number} of {operations}"
    return Case(title, prepare, use, ("*",), "served", patience=PATIENCE)
