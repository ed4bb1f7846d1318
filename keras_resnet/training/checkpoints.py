"""Checkpoints: whole or not at all, checked by a hash, the last few kept, and others if asked for."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.files import sync

KEPT = 3
VALUES, STATE = "variables.npz", "state.json"
RUNNING = "running "  # begins the names of the metrics' values


class CheckpointFolder:
    """``step-000000200/`` with ``variables.npz`` and ``state.json``, the newest few and each ``keep_every``-th step.

    A checkpoint is written beside its place, brought to the disk and moved there, so a process that ends at any
    moment leaves the ones before as they were.
    """

    def __init__(self, path: Path, keep_every: int | None = None):
        self.path, self.keep_every = path, keep_every

    def prepare(self) -> None:
        """Make the folder and clear what a killed process left half written."""
        self.path.mkdir(parents=True, exist_ok=True)
        for unfinished in self.path.glob("part-*"):
            shutil.rmtree(unfinished)

    def save(self, arrays: dict[str, np.ndarray], state: dict) -> None:
        """Keep ``arrays`` and ``state``, whose ``step`` names the checkpoint.

        Raises:
            InputError: the disk is full or the folder cannot be written; earlier checkpoints are as they were.
        """
        target, part = self._at(state["step"]), self.path / f"part-{os.getpid()}"
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            with open(part / VALUES, "wb") as file:
                np.savez(file, **arrays)
            digest = _sha256(part / VALUES)
            content = {"state": state, "variables_sha256": digest, "state_sha256": _state_hash(state)}
            (part / STATE).write_text(json.dumps(content))
            for file in (VALUES, STATE):
                sync(part / file)
            sync(part)
            shutil.rmtree(target, ignore_errors=True)
            os.rename(part, target)
            sync(self.path)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            left = self.steps()
            kept = f"the one of step {left[-1]} is intact" if left else "there is none before it"
            raise InputError(
                f"The checkpoint of step {state['step']} cannot be written to {self.path} ({error.strerror}); {kept}: "
                "make room there, then run the same command again."
            ) from error
        for old in self.steps()[:-KEPT]:
            if self.keep_every and old % self.keep_every == 0:
                continue
            shutil.rmtree(self._at(old), ignore_errors=True)

    def newest(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """The arrays and the state of the newest checkpoint that is whole; None where there is none at all.

        A damaged one is named on standard error and passed over.

        Raises:
            InputError: there are checkpoints and all of them are damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self.read(step)
            except (OSError, ValueError, KeyError) as error:
                print(f"the checkpoint {self._at(step)} is damaged ({error}) and passed over", file=sys.stderr)
        if steps:
            raise InputError(
                f"All checkpoints in {self.path} are damaged: restore them from a copy, or start again in another "
                "--workdir."
            )
        return None

    def steps(self) -> list[int]:
        """The steps of the checkpoints there are, in order."""
        return sorted(int(found.name.removeprefix("step-")) for found in self.path.glob("step-*"))

    def _at(self, step: int) -> Path:
        return self.path / f"step-{step:09d}"

    def read(self, step: int) -> tuple[dict[str, np.ndarray], dict]:
        """The arrays and the state of one checkpoint; raises OSError, ValueError or KeyError if it is damaged."""
        folder = self._at(step)
        content = json.loads((folder / STATE).read_text())
        if _state_hash(content["state"]) != content["state_sha256"]:
            raise ValueError(f"{STATE} does not have its checksum")
        if _sha256(folder / VALUES) != content["variables_sha256"]:
            raise ValueError(f"{VALUES} does not have its checksum")
        with np.load(folder / VALUES, allow_pickle=False) as arrays:
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
    if named.keys() != arrays.keys():
        odd = sorted(named.keys() ^ arrays.keys())
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


def _state_hash(state: dict) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
