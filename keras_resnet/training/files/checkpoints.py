"""Checkpoints: written whole or not at all, verified by hashes, and removed but for the newest.

Keras and TensorFlow are imported where variables are assigned, so that a run of other settings is refused before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.files import is_own_file, read_object, remedy, set_aside, sha256_of, sync
from keras_resnet.training.files.metrics_file import is_row
from keras_resnet.training.state import check_state

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from keras_resnet.training.stepping.step import Step

    Variable: TypeAlias = keras.Variable | tf.Variable

NEWEST_KEPT = 3
VALUES, STATE = "variables.npz", "state.json"
METRIC_PREFIX = "running "  # of the names of the metrics' values in the file


class CheckpointFolder:
    """Folders such as ``step-000000200/`` with ``variables.npz`` and ``state.json``.

    The newest few up to the run's step are kept, and every ``keep_every``-th step. A checkpoint is written under
    another name, flushed to the disk and then renamed, so a process killed at any moment leaves earlier checkpoints
    intact. Anything without the name of a checkpoint is left alone.
    """

    def __init__(self, path: Path, keep_every: int | None = None):
        self.path, self.keep_every = path, keep_every

    def prepare(self) -> None:
        """Create the folder, and remove what a killed process left half written."""
        self.path.mkdir(parents=True, exist_ok=True)
        for entry in self.path.iterdir():
            if re.fullmatch("part-[0-9]+", entry.name):
                _remove(entry)

    def clear(self) -> None:
        """Remove all checkpoints."""
        for step in self.steps():
            _remove(self._at(step))

    def save(
        self, arrays: dict[str, np.ndarray], state: dict, settings: dict | None = None, rows: Iterable[dict] = ()
    ) -> None:
        """Save ``arrays`` and ``state``, whose ``step`` names the checkpoint.

        Args:
            arrays: values of the variables by name.
            state: the fields of a :class:`~keras_resnet.training.state.State`.
            settings: the run's settings, for use if its own file of them is damaged.
            rows: the last rows of its curves, likewise.

        Raises:
            InputError: the disk is full or the folder cannot be written; earlier checkpoints are intact.
        """
        target, part = self._at(state["step"]), self.path / f"part-{os.getpid()}"
        try:
            if not self.path.is_dir():
                print(f"{self.path} was deleted while the run went on: it is created again", file=sys.stderr)
                self.path.mkdir()
            _remove(part)
            part.mkdir()
            with open(part / VALUES, "wb") as values:
                np.savez(values, **arrays)  # type: ignore[arg-type]
            content: dict[str, Any] = {"state": state, "run": {"settings": settings, "rows": list(rows)}}
            hashes = {f"{key}_sha256": _hash(value) for key, value in content.items()}
            content |= hashes | {"variables_sha256": sha256_of(part / VALUES)}
            (part / STATE).write_text(json.dumps(content))
            for file in (VALUES, STATE):
                sync(part / file)
            sync(part)
            _remove(target)
            if os.path.lexists(target):
                set_aside(target, "it is not a checkpoint")
            os.rename(part, target)
            sync(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                _remove(part)
            steps = self._up_to(state["step"])
            remaining = f"the one of step {steps[-1]} is intact" if steps else "there is none before it"
            raise InputError(
                f"The checkpoint of step {state['step']} cannot be written to {self.path} ({error.strerror}); "
                f"{remaining}: {remedy(error)}, then run the same command again."
            ) from error
        for old in self._up_to(state["step"])[:-NEWEST_KEPT]:
            if not (self.keep_every and old % self.keep_every == 0):
                with contextlib.suppress(OSError):
                    _remove(self._at(old))

    def newest(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """The arrays and the state of the newest undamaged checkpoint; None if there are no checkpoints.

        Damaged ones are named on standard error and skipped.

        Raises:
            InputError: there are checkpoints, but all of them are damaged.
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
        """The arrays and the state of the undamaged checkpoints among ``steps``; the others are named."""
        for step in steps:
            try:
                whole = self.read(step)
            except Exception as error:  # damage shows in many ways
                print(f"the checkpoint {self._at(step)} is damaged ({error!s:.200}) and skipped", file=sys.stderr)
            else:
                yield whole

    def about_run(self) -> dict | None:
        """The ``settings`` and ``rows`` in the newest checkpoint whose state is undamaged; None if there is none.

        Checkpoints of earlier versions have settings None and no rows.
        """
        for step in reversed(self.steps()):
            with contextlib.suppress(OSError, ValueError):
                return self._about(step)["run"]
        return None

    def steps(self) -> list[int]:
        """The steps of the existing checkpoints, in order."""
        names = (re.fullmatch("step-([0-9]+)", entry.name) for entry in self.path.glob("step-*"))
        steps = {int(name[1]) for name in names if name and len(name[1]) < 20}
        return sorted(step for step in steps if any((self._at(step) / file).exists() for file in (VALUES, STATE)))

    def _up_to(self, step: int) -> list[int]:
        """The steps up to ``step``, where the run is: later ones are damaged, or it would have gone on from them."""
        return [saved for saved in self.steps() if saved <= step]

    def _at(self, step: int) -> Path:
        return self.path / f"step-{step:09d}"

    def _about(self, step: int) -> dict:
        """The content of ``state.json``; raises OSError or ValueError if it is damaged."""
        content = read_object(self._at(step) / STATE)
        content.setdefault("run", {"settings": None, "rows": []})  # an earlier version wrote it
        content.setdefault("run_sha256", _hash(content["run"]))
        for key in ("state", "run"):
            if not isinstance(content.get(key), dict) or _hash(content[key]) != content.get(f"{key}_sha256"):
                raise ValueError(f"{STATE} does not have its checksum")
        check_state(content["state"])
        settings, rows = content["run"].get("settings"), content["run"].get("rows")
        if not isinstance(settings, dict | None) or not isinstance(rows, list) or not all(map(is_row, rows)):
            raise ValueError("its settings or rows are not valid")
        if content["state"].get("step") != step:
            raise ValueError(f"it is of step {content['state'].get('step')}")
        return content

    def rows(self, step: int) -> list[dict]:
        """The last rows of the curves up to ``step``, from its checkpoint, which must be undamaged."""
        return self._about(step)["run"]["rows"]

    def read(self, step: int) -> tuple[dict[str, np.ndarray], dict]:
        """The arrays and the state of one checkpoint; raises some Exception if it is damaged."""
        content, values = self._about(step), self._at(step) / VALUES
        if not values.is_file() or sha256_of(values) != content.get("variables_sha256"):
            raise ValueError(f"{VALUES} does not have its checksum")
        with zipfile.ZipFile(values) as archive:
            if sum(member.file_size for member in archive.infolist()) > values.stat().st_size:
                raise ValueError(f"{VALUES} would grow when it is unpacked")
        with np.load(values, allow_pickle=False) as arrays:
            return dict(arrays), content["state"]


def named_variables(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Variables by a unique name, their number and name: paths hold counters that differ from process to process."""
    unique = {id(v): v for v in variables}.values()
    return {f"{i:05d} {v.name}": v for i, v in enumerate(unique)}


def values_of(variables: Iterable[Variable]) -> dict[str, np.ndarray]:
    """The values of ``variables``, by name."""
    return {name: v.numpy() for name, v in named_variables(variables).items()}


def assign_values(variables: Iterable[Variable], arrays: dict[str, np.ndarray]) -> None:
    """Set ``variables`` to the values that :func:`values_of` returned.

    Raises:
        InputError: the values are of another network; no variable is changed then.
    """
    import keras

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


def model_values(model: Step) -> dict[str, np.ndarray]:
    """The values that a checkpoint keeps of a compiled ``model``, by name; those of its metrics have a prefix."""
    metrics = {f"{METRIC_PREFIX}{name}": value for name, value in values_of(model.metric_variables()).items()}
    return values_of(model.checkpoint_variables()) | metrics


def assign_model(model: Step, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Set the variables of a compiled ``model`` to those of a checkpoint; return the values of the metrics, by name."""
    values = {name: array for name, array in arrays.items() if not name.startswith(METRIC_PREFIX)}
    assign_values(model.checkpoint_variables(), values)
    return {name.removeprefix(METRIC_PREFIX): array for name, array in arrays.items() if name not in values}


def _hash(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _remove(folder: Path) -> None:
    """Remove the files of a checkpoint, and their folder unless it holds anything else."""
    if folder.is_dir() and not folder.is_symlink():
        for file in (folder / VALUES, folder / STATE):
            if is_own_file(file):
                file.unlink()
        with contextlib.suppress(OSError):
            folder.rmdir()
