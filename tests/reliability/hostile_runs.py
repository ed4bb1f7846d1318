"""Folders given as --workdir: other people's, damaged runs, and runs that change under the process."""

import functools
import itertools
import json
import os
import random
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from watching import Case, StateChanged

sys.path.insert(0, str(Path(__file__).parents[1]))

from run_folders import FULL, Model, go_on, row, run_of

from keras_resnet.errors import InputError
from keras_resnet.training import Experiment
from keras_resnet.training.checkpoints import _hash
from keras_resnet.training.metrics_file import read_metrics
from keras_resnet.training.ownership import MARKER
from keras_resnet.training.state import State
from keras_resnet.training.workdir import Workdir

ROOT = Path(__file__).parents[2]
PROMISE = "other files refused and left alone; a run with a whole checkpoint goes on from it"
STEPS = (0, 5, 10, 15)  # of which the last three stay
CHECKPOINT = tuple(f"run/checkpoints/step-0000000??{file}" for file in ("", "/state.json", "/variables.npz"))
FILES = (MARKER, "lock", "settings.json", "metrics.csv", "result.json")
OURS = (*CHECKPOINT, "run", "run/checkpoints", *(f"run/{name}" for name in FILES), "run/*.damaged", "run/*.damaged-?")
RECIPES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "recipes").rglob("*.py"))
Draw = random.Random


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases of different names, all kinds as often as each other as far as they have so many."""
    draw, found, misses = Draw(seed), {}, 0
    kinds = draw.sample(KINDS, len(KINDS))
    for kind in itertools.cycle(kinds):
        case = kind(draw)
        misses = misses + 1 if case.name in found else 0
        found.setdefault(case.name, case)
        if len(found) >= count or misses > 10 * len(kinds):
            return list(found.values())


def junk(draw: Draw) -> tuple[str, bytes]:
    """What may stand in a file of JSON or text instead of what belongs there."""
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
    """Of a file or folder that this package does not write."""
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
    """Continue the run, which is at ``step``, up to its end; all must be as if nothing had happened."""
    workdir = Workdir(folder / "run", FULL)
    found = go_on(workdir, (step + 5, step + 10, step + 15))
    wanted = [row(each) for each in range(5, step + 1, 5)] if rows else found[1]
    if found != (step, wanted, float(step)):
        raise StateChanged(f"it went on with {found} instead of step {step}")
    if [each["step"] for each in read_metrics(folder / "run" / "metrics.csv")][-3:] != [step + 5, step + 10, step + 15]:
        raise StateChanged("its curves do not go on")
    if json.loads((folder / "run" / "settings.json").read_text()) != FULL:
        raise StateChanged("its settings are not those of before")
    again = Workdir(folder / "run", FULL)
    if (go_on(again, ())[0]) != step + 15:
        raise StateChanged("it does not end where it went to")


def kept_aside(folder: Path, name: str, content: bytes) -> None:
    if (folder / "run" / f"{name}.damaged").read_bytes() != content:
        raise StateChanged(f"{name} was not kept")


def on_a_run(name: str, change: Callable[[Path], None], use=goes_on, must="served", steps=STEPS, **more) -> Case:
    def prepare(folder):
        run_of(folder / "run", steps=steps)
        change(folder / "run")

    return Case(name, prepare, use, OURS, must, **more)


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
    name, (what, content) = name_of_others(draw).replace("/", "-"), junk(draw)

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
        f"a folder with a {kind}, {name!a}, {what}",
        prepare,
        lambda folder: Workdir(folder / "run", FULL),
        must="refused",
    )


def files_of_others_in_a_run(draw: Draw) -> Case:
    names = {name_of_others(draw) for _ in range(draw.randint(1, 5))} - {"train", "validation"}
    return on_a_run(f"a run with {sorted(map(ascii, names))}", lambda run: [put(run / name) for name in names])


def unfinished_files(draw: Draw) -> Case:
    numbers = sorted({draw.randrange(1, 10**6) for _ in range(3)})

    def change(run):
        for number, name in zip(numbers, ("best.keras", "metrics.csv", MARKER), strict=False):
            put(run / f"part-{number}-{name}")
        put(run / "checkpoints" / f"part-{numbers[0]}" / "variables.npz")

    def use(folder):
        goes_on(folder)
        if list((folder / "run").rglob("part-*")):
            raise StateChanged("what killed processes left is still there")

    case = on_a_run(f"a run with files left by processes {numbers}", change, use)
    return Case(case.name, case.prepare, case.use, (*OURS, "run/part-*", "run/checkpoints/part-*"), "served")


def damaged_settings(draw: Draw) -> Case:
    kind, content = junk(draw)

    def use(folder):
        try:
            Workdir(folder / "run", FULL | {"seed": 1})
        except InputError:
            kept_aside(folder, "settings.json", content)
            return goes_on(folder)
        raise StateChanged("other settings were taken for those of the run")

    return on_a_run(f"settings.json is {kind}", lambda run: put(run / "settings.json", content), use)


def changed_settings(draw: Draw) -> Case:
    key = draw.choice(sorted(FULL))
    value = draw.choice((None, [], {}, "x", -1, 1e300, float("nan"), draw.random(), draw.randrange(10**9), True))
    content = json.dumps({**FULL, key: value}).encode()
    return on_a_run(f"settings.json has {key} {value!r}", lambda run: put(run / "settings.json", content))


def damaged_curves(draw: Draw) -> Case:
    kind, content = junk(draw)

    def use(folder):
        goes_on(folder)
        kept_aside(folder, "metrics.csv", content)

    return on_a_run(f"metrics.csv is {kind}", lambda run: put(run / "metrics.csv", content), use)


def damaged_lines(draw: Draw) -> Case:
    kind, content = junk(draw)
    place, cut = draw.randrange(1, 4), draw.randrange(1, 30)
    line = draw.choice((content.replace(b"\n", b"") + b"\r\n", None))

    def change(run):
        lines = (run / "metrics.csv").read_bytes().splitlines(keepends=True)
        lines[place : place + (line is None)] = [line] if line else [lines[place][:cut] + b"\n"]
        (run / "metrics.csv").write_bytes(b"".join(lines))

    what = f"holds {kind}" if line else f"is cut at {cut}"
    return on_a_run(f"line {place} of metrics.csv {what}", change)


def cut_curves(draw: Draw) -> Case:
    share = round(draw.random(), 3)

    def change(run):
        content = (run / "metrics.csv").read_bytes()
        (run / "metrics.csv").write_bytes(content[: int(share * len(content))])

    return on_a_run(f"metrics.csv cut at {share}", change)


def damaged_state(draw: Draw) -> Case:
    kind, content = junk(draw)
    return on_a_run(
        f"state.json of the newest checkpoint is {kind}",
        lambda run: put(run / "checkpoints" / "step-000000015" / "state.json", content),
        functools.partial(goes_on, step=10),
    )


def foreign_state(draw: Draw) -> Case:
    """With the right checksums, as of a stranger who means it."""
    part = draw.choice(("state", "state", "run"))
    keys = sorted(vars(State())) if part == "state" else ["settings", "rows"]
    key = draw.choice([*keys, "more"] if part == "state" else keys)
    value = draw.choice(
        ("abc", -1, [1], {"a": [1]}, -(10 ** draw.randrange(30)), float("nan"), 10**300, [[1]], [{"step": 1}])
    )
    if key == "settings" and isinstance(value, dict):
        value = "no settings"

    def change(run):
        path = run / "checkpoints" / "step-000000015" / "state.json"
        content = json.loads(path.read_text())
        content[part][key] = value
        content[f"{part}_sha256"] = _hash(content[part])
        path.write_text(json.dumps(content))

    name = f"the newest checkpoint's {part} has {key} {value!s:.40}, with its checksum"
    return on_a_run(name, change, functools.partial(goes_on, step=10))


def damaged_variables(draw: Draw) -> Case:
    kind = draw.choice(("cut", "bit", "zeros", "longer", "gone", "folder", "fifo", "dangling link"))
    share = round(draw.random(), 3)

    def change(run):
        path = run / "checkpoints" / "step-000000015" / "variables.npz"
        content = bytearray(path.read_bytes())
        at = int(share * len(content))
        path.unlink()
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "dangling link":
            path.symlink_to("nowhere")
        elif kind != "gone":
            content[at] ^= 1
            made = {
                "cut": content[:at],
                "bit": content,
                "zeros": bytes(len(content)),
                "longer": content + b"x" * (at + 1),
            }
            path.write_bytes(made[kind])

    name = f"variables.npz of the newest checkpoint: {kind} {share}"
    case = on_a_run(name, change, functools.partial(goes_on, step=10))
    return Case(name, case.prepare, case.use, (*OURS, "run/checkpoints/step-000000015.damaged*"), "served")


def foreign_variables(draw: Draw) -> Case:
    """With the right checksum."""
    kind = draw.choice(("no archive", "bomb", "objects", "claims 10^12 numbers", "pickle"))
    size = draw.randrange(1, 1000)

    def change(run):
        folder = run / "checkpoints" / "step-000000015"
        path = folder / "variables.npz"
        if kind == "no archive":
            path.write_bytes(b"x" * size)
        elif kind == "bomb":
            with (
                zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
                archive.open("a.npy", "w", force_zip64=True) as file,
            ):
                for _ in range(16 + size % 16):
                    file.write(bytes(2**24))
        elif kind == "objects":
            np.savez(path, a=np.array([{"a": size}], dtype=object))
        elif kind == "pickle":
            path.write_bytes(b"\x80\x04" + b"K" * size + b".")
        else:
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d000000000,), }" % (1000 + size)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(
                    "a.npy", b"\x93NUMPY\x01\x00" + len(header + b"\n").to_bytes(2, "little") + header + b"\n"
                )
        import hashlib

        content = json.loads((folder / "state.json").read_text())
        content["variables_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "state.json").write_text(json.dumps(content))

    name = f"the newest variables.npz: {kind} {size}, with its checksum"
    return on_a_run(name, change, functools.partial(goes_on, step=10))


def another_network(draw: Draw) -> Case:
    shape = tuple(draw.randrange(1, 9) for _ in range(draw.randint(1, 3)))
    kind = draw.choice(
        ("float32", "float64", "int32", "<U3", "complex64", "bool") if shape != (3,) else ("float64", "bool")
    )

    def prepare(folder):
        workdir, model = Workdir(folder / "run", FULL), Model()
        model.variable.value = np.zeros(shape, kind)
        workdir.restore_rows(0, Experiment.columns)
        workdir.save_checkpoint(model, State(step=5))
        workdir.close()

    return Case(f"a checkpoint with a kernel {shape} of {kind}", prepare, goes_on, OURS, "refused")


def copied_checkpoint(draw: Draw) -> Case:
    step = draw.choice((16, 99, 2**31, 10**12, draw.randrange(17, 10**9)))
    kind = draw.choice(("copy", "link", "file", "empty folder"))

    def change(run):
        folder = run / "checkpoints"
        place = folder / f"step-{step:09d}"
        if kind == "copy":
            shutil.copytree(folder / "step-000000010", place)
        elif kind == "link":
            place.symlink_to("step-000000010")
        elif kind == "file":
            place.write_text("")
        else:
            place.mkdir()

    name = f"a {kind} as checkpoint of step {step}"
    case = on_a_run(name, change)

    def use(folder):
        workdir = Workdir(folder / "run", FULL)
        if go_on(workdir, ())[0] != 15:
            raise StateChanged("the newest whole checkpoint is that of step 15")

    return Case(name, case.prepare, use, case.writes, "served")


def all_damaged(draw: Draw) -> Case:
    kind, content = junk(draw)
    file = draw.choice(("state.json", "variables.npz"))

    def change(run):
        for path in (run / "checkpoints").glob(f"step-*/{file}"):
            path.write_bytes(content)

    return on_a_run(f"{file} of all checkpoints is {kind}", change, must="refused")


def other_kind_in_place(draw: Draw) -> Case:
    name = draw.choice(
        ("train", "validation", "best.keras", "last.keras", "settings.json", "metrics.csv", "curves.png")
    )
    kind = draw.choice(("file", "fifo", "dangling link") if name in ("train", "validation") else ("folder", "fifo"))
    number = draw.randrange(100)

    def change(run):
        place = run / name
        if place.exists():
            clear(place)
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "folder":
            put(place / f"notes{number}.txt")
        elif kind == "file":
            put(place, str(number).encode())
        else:
            place.symlink_to(f"nowhere{number}")

    def use(folder):
        goes_on(folder)
        if not os.path.lexists(folder / "run" / f"{name}.damaged"):
            raise StateChanged(f"{name} was not kept")

    case = on_a_run(f"{name} is a {kind}, {number}", change, use)
    return Case(
        case.name, case.prepare, use, (*OURS, f"run/{name}", f"run/{name}/*", f"run/{name}.damaged/*"), "served"
    )


def checkpoints_gone(draw: Draw) -> Case:
    kind, what = draw.choice(("gone", "empty", "a file")), draw.choice(("result.json", "best.keras", "neither"))
    seed = draw.randrange(3)

    def change(run):
        shutil.rmtree(run / "checkpoints")
        if kind != "gone":
            (run / "checkpoints").mkdir() if kind == "empty" else put(run / "checkpoints")
        if what != "neither":
            put(run / what, b"{}")

    def use(folder):
        Workdir(folder / "run", FULL | {"seed": seed}).close()
        print("taken")

    name = f"checkpoints are {kind}, {what} is there, seed {seed}"
    return on_a_run(name, change, use, "refused" if seed else "served")


def damaged_lock_or_marker(draw: Draw) -> Case:
    kind = draw.choice(
        ("lock folder", "lock fifo", "lock link", "marker", "later marker", "marker of a study", "marker folder")
    )
    what, content = junk(draw)

    def change(run):
        place = run / ("lock" if "lock" in kind else MARKER)
        if kind == "marker":
            return put(place, content)
        if "marker" in kind and "folder" not in kind:
            found = json.loads(place.read_text())
            found |= {"format": 2 + len(content)} if "later" in kind else {"holds": "a study"}
            return put(place, json.dumps(found).encode())
        place.unlink()
        if "folder" in kind:
            put(place / "notes.txt")
        elif "fifo" in kind:
            os.mkfifo(place)
        else:
            place.symlink_to("settings.json")

    return on_a_run(f"{kind}, {what}", change, must="served" if kind == "marker" else "refused")


def run_of_before(draw: Draw) -> Case:
    """Without a marker, settings and rows in its checkpoints."""
    file, (kind, content) = draw.choice(("settings.json", "metrics.csv", "neither")), junk(draw)

    def change(run):
        (run / MARKER).unlink()
        for path in (run / "checkpoints").glob("step-*/state.json"):
            found = json.loads(path.read_text())
            path.write_text(json.dumps({key: found[key] for key in ("state", "state_sha256", "variables_sha256")}))
        if file != "neither":
            put(run / file, content)

    use = functools.partial(goes_on, rows=file != "metrics.csv")
    like_settings = file == "settings.json" and kind.startswith(("settings of type", "UTF-16"))  # taken for others
    return on_a_run(f"a run of before, {file} is {kind}", change, use, None if like_settings else "served")


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
    """A recipe as a user runs it."""
    sys.argv = [script, *map(str, arguments)]
    runpy.run_path(str(ROOT / script), run_name="__main__")


SMALL = ("--model", "ResNet20", "--change", "blocks=[1,1,1]", "--image-size", "32", "--batch-size", "4", "--steps", "2")


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


KINDS = (
    folder_of_others, special_files_of_others, files_of_others_in_a_run, unfinished_files, damaged_settings,
    changed_settings, damaged_curves, damaged_lines, cut_curves, damaged_state, foreign_state, damaged_variables,
    foreign_variables, another_network, copied_checkpoint, all_damaged, other_kind_in_place, checkpoints_gone,
    damaged_lock_or_marker, run_of_before, deleted_in_mid_run, empty_workdir, recipe_on_a_folder_of_others,
    finished_run_asked_again,
)  # fmt: skip
