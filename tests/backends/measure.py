"""What of the package works on which backend of Keras: the table of docs/compatibility.md.

python tests/backends/measure.py --json docs/results/backends.json

Each backend runs capabilities.py in a process of its own. "yes" means that it did what it was asked and that its
numbers are those of TensorFlow; "no" comes with what of TensorFlow the refusal names.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from keras_resnet.command_line import JsonFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
CAPABILITIES = Path(__file__).with_name("capabilities.py")
TOLERANCE = 1e-3  # of a result's largest number, in float32


@dataclass(frozen=True)
class Measure:
    """The backends to try."""

    backends: tuple[Literal["jax", "torch"], ...] = ("jax", "torch")
    """Those to compare with TensorFlow."""
    json: JsonFile | None = None
    """A file for the table as data, with the versions."""

    def run(self) -> None:
        from keras_resnet.training.files.run_result import versions

        table, failures = self._table()
        print(table.markdown())
        for failure in failures:
            print(failure)
        others = {name: _version(name) for name in self.backends}
        write_tables(self.json, [table], backend_versions=versions() | others)
        if failures:
            raise InputError(f"{len(failures)} parts neither work nor are refused: see above.")

    def _table(self) -> tuple[Table, list[str]]:
        """The table, and what failed in another way than by a refusal."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            results = {name: _measured(name, folder) for name in ("tensorflow", *self.backends)}
        expected, numbers = results["tensorflow"]
        table, failures = Table("backends", ("", *(BACKENDS[name] for name in results)), right_aligned=False), []
        for part in expected:
            cells = []
            for name, (outcomes, values) in results.items():
                cell, failure = _cell(part, outcomes[part], values, numbers)
                cells.append(cell)
                failures += [f"{part} on {BACKENDS[name]}: {failure}"] if failure else []
            table.rows.append((part, *cells))
        return table, failures


def _measured(backend: str, folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What became of each part on a backend, and its numbers."""
    words = [sys.executable, str(CAPABILITIES), str(folder)] + (["prepare"] if backend == "tensorflow" else [])
    environment = os.environ | {"KERAS_BACKEND": backend, "XDG_CACHE_HOME": str(folder / f"cache of {backend}")}
    environment["XLA_FLAGS"] = "--xla_backend_optimization_level=1"  # JAX compiles for longer than it computes
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{BACKENDS[backend]} ended with status {done.returncode}: {done.stderr[-2000:]}")
    return json.loads((folder / f"{backend}.json").read_text()), dict(np.load(folder / f"{backend}.npz"))


def _cell(part: str, outcome: dict, values: dict, expected: dict) -> tuple[str, str | None]:
    """What the table says of a part, and what is wrong with it."""
    if "failed" in outcome:
        return "fails", outcome["failed"]
    if "refused" in outcome:
        named = re.search(r" needs (tf[\w.]*\w)", outcome["refused"])
        return (f"no: `{named[1]}`", None) if named else ("fails", outcome["refused"])
    for name in (name for name in expected if name.startswith(f"{part}: ")):
        scale, same = np.abs(expected[name]).max(initial=1e-30), values[name].shape == expected[name].shape
        if not same or not np.abs(values[name] - expected[name]).max() <= TOLERANCE * scale:
            return "differs", f"{name} is {values[name]!s:.300} and on TensorFlow {expected[name]!s:.300}"
    return "yes", None


def _version(backend: str) -> str:
    from importlib import metadata

    return metadata.version(backend)


if __name__ == "__main__":
    run_tool(Measure, __doc__)
