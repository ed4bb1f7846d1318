"""Checkpoints that are damaged or come from a stranger."""

import functools
import hashlib
import json
import os
import shutil
import zipfile

import numpy as np
from hostile_run_parts import OURS, Draw, goes_on, junk, on_a_run, put
from run_folders import FULL, Model, go_on
from watching import Case, StateChanged

from keras_resnet.training import Classification
from keras_resnet.training.files.checkpoints import _hash
from keras_resnet.training.files.workdir import Workdir
from keras_resnet.training.state import State


def damaged_state(draw: Draw) -> Case:
    kind, content = junk(draw)
    return on_a_run(
        f"state.json of the newest checkpoint is {kind}",
        lambda run: put(run / "checkpoints" / "step-000000015" / "state.json", content),
        functools.partial(goes_on, step=10),
    )


def foreign_state(draw: Draw) -> Case:
    """With the right checksums, as if forged on purpose."""
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
        workdir.restore_rows(0, Classification.metric_names)
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


def checkpoints_gone(draw: Draw) -> Case:
    kind, survivor = draw.choice(("gone", "empty", "a file")), draw.choice(("result.json", "best.keras", "neither"))
    seed = draw.randrange(3)

    def change(run):
        shutil.rmtree(run / "checkpoints")
        if kind != "gone":
            (run / "checkpoints").mkdir() if kind == "empty" else put(run / "checkpoints")
        if survivor != "neither":
            put(run / survivor, b"{}")

    def use(folder):
        Workdir(folder / "run", FULL | {"seed": seed}).close()
        print("taken")

    name = f"checkpoints are {kind}, {survivor} is there, seed {seed}"
    return on_a_run(name, change, use, "refused" if seed else "served")
