"""A cache on disk for results computed from data, keyed by the code that computes them and limited in size."""

import contextlib
import hashlib
import inspect
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.files import save_array, write_whole

FOLDERS = ("scores", "statistics", "records", "scans", "tfds", "photos", "contents")  # of the cache
MAX_BYTES = 4 * 2**30  # in all; then the least recently used files go. Scores of ImageNet's 50,000 photos take 0.2e9
LIBRARIES = ("tensorflow", "keras")
Maker: TypeAlias = ModuleType | Callable


def cache_folder() -> Path:
    """The folder of the cache: ``$XDG_CACHE_HOME/keras_resnet``, by default under ``~/.cache``.

    Raises:
        InputError: neither is set, and the user is not known to the system, as in some containers.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_resnet"
    except RuntimeError as error:
        raise InputError("This user has no home folder for the cache: set XDG_CACHE_HOME to a folder.") from error


def version_of(*makers: Maker) -> str:
    """A short hash of the source code of ``makers`` and the versions of the libraries that compute."""
    parts = [_source(maker) for maker in makers] + [metadata.version(library) for library in LIBRARIES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _source(maker: Maker) -> str:
    if hasattr(maker, "__path__"):
        return "\0".join(path.read_text() for path in sorted(Path(maker.__path__[0]).rglob("*.py")))
    return inspect.getsource(maker)


def cached(name: str, compute: Callable[[], np.ndarray], *makers: Maker) -> np.ndarray:
    """``compute()``, or its stored result if ``name`` and the code are the same; a failing cache only costs time.

    Args:
        name: ``folder/key``, where the key identifies everything the value depends on except the code.
        compute: computes the value.
        makers: functions, modules and packages whose source code determines the value.
    """
    path = cache_folder() / f"{name}-{version_of(*makers)}.npy"
    value = stored(path)
    if value is not None:
        with contextlib.suppress(OSError):  # a cache that cannot be written is of use too
            os.utime(path)
        return value
    value = compute()
    with contextlib.suppress(OSError):
        store(path, value)
    return value


def stored(path: Path) -> np.ndarray | None:
    """The array in a file of the cache; None if the file is missing or not whole."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def store(path: Path, value: np.ndarray) -> None:
    """Write an array into the cache, whole or not at all; raises OSError if it cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: save_array(part, value))
    evict()


def evict() -> None:
    """Remove the least recently used files until the rest takes at most ``MAX_BYTES``."""
    used = []
    for name in FOLDERS:
        for path in (cache_folder() / name).glob("*"):
            try:
                stat = path.stat()
                used.append((stat.st_mtime, stat.st_size, path))
            except FileNotFoundError:  # another process was first
                pass
    total = sum(size for _, size, _ in used)
    for _, size, path in sorted(used):
        if total <= MAX_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= size
