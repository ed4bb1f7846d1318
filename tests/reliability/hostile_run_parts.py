"""The parts of hostile cases of run folders: files and names, and the check that a run continues."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from run_folders import FULL, go_on, row, run_of
from watching import Case, StateChanged

from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.ownership import MARKER
from keras_resnet.training.files.workdir import Workdir

ROOT = Path(__file__).parents[2]
STEPS = (0, 5, 10, 15)  # the checkpoints of the last three are kept
CHECKPOINT = tuple(f"run/checkpoints/step-0000000??{file}" for file in ("", "/state.json", "/variables.npz"))
FILES = (MARKER, "lock", "settings.json", "metrics.csv", "result.json")
OURS = (*CHECKPOINT, "run", "run/checkpoints", *(f"run/{name}" for name in FILES), "run/*.damaged", "run/*.damaged-?")
Draw = random.Random


def junk(draw: Draw) -> tuple[str, bytes]:
    """A description and a content for a JSON or text file whose content is wrong."""
    number, word = draw.randrange(10**6), "".join(draw.choices("abcdefgh_", k=6))
    kinds = {
        "nothing": b"",
        "null": b"null",
        f"the number {number}": str(number).encode(),
        f"the text {word}": json.dumps(word).encode(),
        f"a list of {word}": json.dumps([word, number]).encode(),
        f"an object of {word}": json.dumps({word: number}).encode(),
        f"lists nested {10**4 + number} deep": b"[" * (10**4 + number),
        f"objects nested {10**4 + number // 10} deep": b'{"a":' * (10**4 + number // 10),
        f"a number of {5000 + number} digits": b"9" * (5000 + number),
        f"a settings object cut at {number % 80}": json.dumps(FULL).encode()[: number % 80],
        f"settings of type {word}": json.dumps({key: [word] for key in FULL}).encode(),
        f"UTF-16 of {word}": json.dumps({"model": word}).encode("utf-16"),
        f"{number % 5000} zeros": b"\0" * (number % 5000),
        f"{number % 997} random bytes": Draw(number).randbytes(number % 997),
        f"not UTF-8, {word}": b'{"model": "\xff' + word.encode() + b'"}',
        f"an empty object and {number % 999} spaces": b"{}" + b" " * (number % 999),
    }
    return draw.choice(list(kinds.items()))


def name_of_others(draw: Draw) -> str:
    """The name of a file or folder that this package does not write."""
    number = draw.randrange(10**5)
    return draw.choice(
        (f"part-{number:05d}", f"part-{number}.parquet", f"part-{number}-notes.txt", f"part-x{number}-best.keras",
         f"notes{number}.txt", f".hidden{number}", f"checkpoints/step-{number}.bak", f"checkpoints/step-abc{number}",
         f"checkpoints/part-{number}.bin", f"checkpoints/part-{number}/model.bin", "checkpoints/latest",
         f"checkpoints/step-000000005.{number}/state.json", f"checkpoints/step-{number}/notes.txt",
         f"checkpoints/step-00000000000{number}x", f"train/photo{number}.jpg", f"validation/cat/{number}.jpg",
         f"n\nline{number}", f"\udcff{number}", f"{'x' * 240}{number}", f"step-00000{number:05d}/variables.npz",
         f"best-{number}.keras", f"settings-{number}.json", f"result.json.{number}", f"LOCK{number}")
    )  # fmt: skip


def put(path: Path, content: bytes = b"of others") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def clear(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def goes_on(folder: Path, step: int = 15, rows: bool = True) -> None:
    """Continue the run from ``step`` to its end, which must go as if nothing had happened."""
    workdir = Workdir(folder / "run", FULL)
    restored = go_on(workdir, (step + 5, step + 10, step + 15))
    expected = [row(earlier) for earlier in range(5, step + 1, 5)] if rows else restored[1]
    if restored != (step, expected, float(step)):
        raise StateChanged(f"it continued with {restored} instead of step {step}")
    steps = [point["step"] for point in read_metrics(folder / "run" / "metrics.csv")]
    if steps[-3:] != [step + 5, step + 10, step + 15]:
        raise StateChanged("its curves do not continue")
    if json.loads((folder / "run" / "settings.json").read_text()) != FULL:
        raise StateChanged("its settings have changed")
    again = Workdir(folder / "run", FULL)
    if (go_on(again, ())[0]) != step + 15:
        raise StateChanged("it did not end at its last step")


def kept_aside(folder: Path, name: str, content: bytes) -> None:
    if (folder / "run" / f"{name}.damaged").read_bytes() != content:
        raise StateChanged(f"{name} was not kept")


def on_a_run(name: str, change: Callable[[Path], None], use=goes_on, must="served", steps=STEPS, **more) -> Case:
    def prepare(folder):
        run_of(folder / "run", steps=steps)
        change(folder / "run")

    return Case(name, prepare, use, OURS, must, **more)
