"""What is computed once from data and kept between runs."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np


def cache_folder() -> Path:
    """Where it is kept: ``$XDG_CACHE_HOME/keras_resnet``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_resnet"


def kept(name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """``compute()``, or what it gave the last time under the same ``name``; a cache that fails only costs time."""
    path = cache_folder() / f"{name}.npy"
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError):  # not made yet, or not written to its end
        pass
    value = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.npy")
        np.save(part, value)
        os.replace(part, path)
    except OSError:
        pass
    return value
