"""A run's settings, curves, lock and marker, damaged or from a stranger."""

import functools
import json
import os

from hostile_run_parts import OURS, Draw, clear, goes_on, junk, kept_aside, on_a_run, put
from run_folders import FULL
from watching import Case, StateChanged

from keras_resnet.errors import InputError
from keras_resnet.training.files.ownership import MARKER
from keras_resnet.training.files.workdir import Workdir


def unfinished_files(draw: Draw) -> Case:
    numbers = sorted({draw.randrange(1, 10**6) for _ in range(3)})

    def change(run):
        for number, name in zip(numbers, ("best.keras", "metrics.csv", MARKER), strict=False):
            put(run / f"part-{number}-{name}")
        put(run / "checkpoints" / f"part-{numbers[0]}" / "variables.npz")

    def use(folder):
        goes_on(folder)
        if list((folder / "run").rglob("part-*")):
            raise StateChanged("files left by killed processes are still there")

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

    damage = f"holds {kind}" if line else f"is cut at {cut}"
    return on_a_run(f"line {place} of metrics.csv {damage}", change)


def cut_curves(draw: Draw) -> Case:
    share = round(draw.random(), 3)

    def change(run):
        content = (run / "metrics.csv").read_bytes()
        (run / "metrics.csv").write_bytes(content[: int(share * len(content))])

    return on_a_run(f"metrics.csv cut at {share}", change)


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


def damaged_lock_or_marker(draw: Draw) -> Case:
    kind = draw.choice(
        ("lock folder", "lock fifo", "lock link", "marker", "later marker", "marker of a study", "marker folder")
    )
    description, content = junk(draw)

    def change(run):
        place = run / ("lock" if "lock" in kind else MARKER)
        if kind == "marker":
            return put(place, content)
        if "marker" in kind and "folder" not in kind:
            fields = json.loads(place.read_text())
            fields |= {"format": 2 + len(content)} if "later" in kind else {"holds": "a study"}
            return put(place, json.dumps(fields).encode())
        place.unlink()
        if "folder" in kind:
            put(place / "notes.txt")
        elif "fifo" in kind:
            os.mkfifo(place)
        else:
            place.symlink_to("settings.json")

    return on_a_run(f"{kind}, {description}", change, must="served" if kind == "marker" else "refused")


def run_of_before(draw: Draw) -> Case:
    """Without a marker, settings and rows in its checkpoints."""
    file, (kind, content) = draw.choice(("settings.json", "metrics.csv", "neither")), junk(draw)

    def change(run):
        (run / MARKER).unlink()
        for path in (run / "checkpoints").glob("step-*/state.json"):
            fields = json.loads(path.read_text())
            path.write_text(json.dumps({key: fields[key] for key in ("state", "state_sha256", "variables_sha256")}))
        if file != "neither":
            put(run / file, content)

    use = functools.partial(goes_on, rows=file != "metrics.csv")
    like_settings = file == "settings.json" and kind.startswith(("settings of type", "UTF-16"))  # taken for others
    return on_a_run(f"a run of before, {file} is {kind}", change, use, None if like_settings else "served")
