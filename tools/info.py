"""Versions, devices, kernels and caches of this installation, to paste into a bug report.

python tools/info.py
"""

import importlib.util
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from keras_resnet import processor
from keras_resnet.command_line import run_tool
from keras_resnet.data.cache import cache_folder
from keras_resnet.training.files.run_result import commit, environment, hardware, versions

BACKENDS = ("tensorflow", "jax", "torch")


@dataclass(frozen=True)
class Info:
    """Nothing to choose."""

    def run(self) -> None:
        for name, value in facts().items():
            print(f"{f'{name}:':22} {value}")


def facts() -> dict[str, str]:
    """What is installed and used here, by its name."""
    import keras

    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return {
        **versions(),
        "commit": commit(),
        "system": platform.platform(),
        "hardware": hardware(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB",
        "Keras backend": keras.backend.backend(),
        "backends installed": ", ".join(name for name in BACKENDS if importlib.util.find_spec(name)),
        "precision": keras.config.dtype_policy().name,
        "bfloat16": processor.advice_on("mixed_bfloat16") or "as fast as float32 on this processor, or faster",
        "oneDNN kernels": {True: "on", False: "off", None: "unknown"}[processor.onednn_is_on()],
        "environment": ", ".join(f"{name}={value}" for name, value in environment().items()),
        "cache of keras_resnet": _folder(cache_folder()),
        "cache of Keras": _folder(home),
        "TFDS data": _folder(Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")),
    }


def _folder(path: Path) -> str:
    """The path, with the home folder as ``~``, and what it holds."""
    files = [file.stat().st_size for file in path.rglob("*") if file.is_file()] if path.is_dir() else None
    shown = f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
    return f"{shown}: {'absent' if files is None else f'{len(files):,} files, {sum(files) / 2**20:,.1f} MiB'}"


if __name__ == "__main__":
    run_tool(Info, __doc__)
