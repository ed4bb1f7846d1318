"""Checkpoints: whole or not at all, checked by a hash, the last few kept, and others if asked for."""

import contextlib
import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.files import is_own_file, read_object, remedy, set_aside, sync
from keras_resnet.training.files.metrics_file import is_row
from keras_resnet.training.state import check_state

KEPT = 3
VALUES, STATE = "variables.npz", "state.json"
RUNNING = "running "  # begins the names of the metrics' values


class CheckpointFolder:
    """``step-000000200/`` with ``variables.npz`` and ``state.json``, the newest few and each ``keep_every``-th step.

    A checkpoint is written beside its place, brought to the disk and moved there, so a process that ends at any
    moment leaves the ones before as they were. What has no name of a checkpoint is left alone.
    """

    def __init__(self, path: Path, keep_every: int | None = None):
        self.path, self.keep_every = path, keep_every

    def prepare(self) -> None:
        """Make the folder and clear what a killed process left half written."""
        self.path.mkdir(parents=True, exist_ok=True)
        for found in self.path.iterdir():
            if re.fullmatch("part-[0-9]+", found.name):
                _remove(found)

    def clear(self) -> None:
        """Remove all checkpoints."""
        for step in self.steps():
            _remove(self._at(step))

    def save(
        self, arrays: dict[str, np.ndarray], state: dict, settings: dict | None = None, rows: Iterable[dict] = ()
    ) -> None:
        """Keep ``arrays`` and ``state``, whose ``step`` names the checkpoint.

        ``settings`` are the run's, ``rows`` the last of its curves: they serve where the run's own files are damaged.

        Raises:
            InputError: the disk is full or the folder cannot be written; earlier checkpoints are as they were.
        """
        target, part = self._at(state["step"]), self.path / f"part-{os.getpid()}"
        try:
            if not self.path.is_dir():
                print(f"{self.path} was deleted while the run went on: it is made again", file=sys.stderr)
                self.path.mkdir()
            _remove(part)
            part.mkdir()
            with open(part / VALUES, "wb") as values:
                np.savez(values, **arrays)  # type: ignore[arg-type]
            content: dict[str, Any] = {"state": state, "run": {"settings": settings, "rows": list(rows)}}
            hashes = {f"{key}_sha256": _hash(value) for key, value in content.items()}
            content |= hashes | {"variables_sha256": _sha256(part / VALUES)}
            (part / STATE).write_text(json.dumps(content))
            for file in (VALUES, STATE):
                sync(part / file)
            sync(part)
            _remove(target)
            if os.path.lexists(target):
                set_aside(target, "it is no checkpoint")
            os.rename(part, target)
            sync(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                _remove(part)
            left = self.steps()
            kept = f"the one of step {left[-1]} is intact" if left else "there is none before it"
            raise InputError(
                f"The checkpoint of step {state['step']} cannot be written to {self.path} ({error.strerror}); {kept}: "
                f"{remedy(error)}, then run the same command again."
            ) from error
        for old in self.steps()[:-KEPT]:
            if not (self.keep_every and old % self.keep_every == 0):
                with contextlib.suppress(OSError):
                    _remove(self._at(old))

    def newest(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """The arrays and the state of the newest checkpoint that is whole; None where there is none at all.

        A damaged one is named on standard error and passed over.

        Raises:
            InputError: there are checkpoints and all of them are damaged.
        """
        steps = self.steps()
        for whole in self.read_whole(reversed(steps)):
            return whole
        if steps:
            raise InputError(
                f"All checkpoints in {self.path} are damaged: restore them from a copy, or start again in another "
                "--workdir."
            )
        return None

    def read_whole(self, steps: Iterable[int]) -> Iterator[tuple[dict[str, np.ndarray], dict]]:
        """The arrays and the state of each of ``steps`` whose checkpoint is whole; the others are named."""
        for step in steps:
            try:
                whole = self.read(step)
            except Exception as error:  # bad in whatever way
                print(f"the checkpoint {self._at(step)} is damaged ({error!s:.200}) and passed over", file=sys.stderr)
            else:
                yield whole

    def about_run(self) -> dict | None:
        """``settings`` and ``rows`` of :meth:`save`, of the newest checkpoint whose state is whole; None without one.

        One of an earlier version has None and no rows.
        """
        for step in reversed(self.steps()):
            with contextlib.suppress(OSError, ValueError):
                return self._about(step)["run"]
        return None

    def steps(self) -> list[int]:
        """The steps of the checkpoints there are, in order."""
        names = (re.fullmatch("step-([0-9]+)", found.name) for found in self.path.glob("step-*"))
        steps = {int(name[1]) for name in names if name and len(name[1]) < 20}
        return sorted(step for step in steps if any((self._at(step) / file).exists() for file in (VALUES, STATE)))

    def _at(self, step: int) -> Path:
        return self.path / f"step-{step:09d}"

    def _about(self, step: int) -> dict:
        """What a whole ``state.json`` says; raises OSError or ValueError."""
        content = read_object(self._at(step) / STATE)
        content.setdefault("run", {"settings": None, "rows": []})  # of an earlier version
        content.setdefault("run_sha256", _hash(content["run"]))
        for key in ("state", "run"):
            if not isinstance(content.get(key), dict) or _hash(content[key]) != content.get(f"{key}_sha256"):
                raise ValueError(f"{STATE} does not have its checksum")
        check_state(content["state"])
        settings, rows = content["run"].get("settings"), content["run"].get("rows")
        if not isinstance(settings, dict | None) or not isinstance(rows, list) or not all(map(is_row, rows)):
            raise ValueError("its settings or rows are none")
        if content["state"].get("step") != step:
            raise ValueError(f"it is of step {content['state'].get('step')}")
        return content

    def rows(self, step: int) -> list[dict]:
        """The last rows of the curves up to ``step``, whose checkpoint is whole."""
        return self._about(step)["run"]["rows"]

    def read(self, step: int) -> tuple[dict[str, np.ndarray], dict]:
        """The arrays and the state of one checkpoint; raises an Exception of some kind if it is damaged."""
        content, values = self._about(step), self._at(step) / VALUES
        if not values.is_file() or _sha256(values) != content.get("variables_sha256"):
            raise ValueError(f"{VALUES} does not have its checksum")
        with zipfile.ZipFile(values) as archive:
            if sum(member.file_size for member in archive.infolist()) > values.stat().st_size:
                raise ValueError(f"{VALUES} would grow when it is unpacked")
        with np.load(values, allow_pickle=False) as arrays:
            return dict(arrays), content["state"]


def named_variables(variables) -> dict:
    """Variables by a name that is theirs alone: their number and own name; paths hold numbers Keras gives away."""
    unique = {id(v): v for v in variables}.values()
    return {f"{i:05d} {v.name}": v for i, v in enumerate(unique)}


def values_of(variables) -> dict[str, np.ndarray]:
    """The values of ``variables`` by name."""
    return {name: v.numpy() for name, v in named_variables(variables).items()}


def assign_values(variables, arrays: dict[str, np.ndarray]) -> None:
    """Set ``variables`` to the values that :func:`values_of` gave; raises InputError if they are of another network."""
    named = named_variables(variables)
    odd = sorted(named.keys() ^ arrays.keys()) or [
        name
        for name, variable in named.items()
        if arrays[name].shape != tuple(variable.shape)
        or arrays[name].dtype.name != keras.backend.standardize_dtype(variable.dtype)
    ]
    if odd:
        raise InputError(f"The checkpoint is of another network ({odd[0]}): give its settings, or another --workdir.")
    for name, variable in named.items():
        variable.assign(arrays[name])


def assign_model(model, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set the variables of a compiled ``model`` to a checkpoint's; returns the rest, the metrics' by name."""
    own = {name: array for name, array in arrays.items() if not name.startswith(RUNNING)}
    assign_values(model.own_variables(), own)
    return {name.removeprefix(RUNNING): array for name, array in arrays.items() if name not in own}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _remove(folder: Path) -> None:
    """Remove the files of a checkpoint, and their folder unless there is something else in it."""
    if folder.is_dir() and not folder.is_symlink():
        for file in (folder / VALUES, folder / STATE):
            if is_own_file(file):
                file.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
