"""What is computed once from data and kept between runs: by the code that made it, up to a size."""

import hashlib
import inspect
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

from keras_resnet.files import write_whole

KINDS = ("scores", "statistics", "records", "scans", "tfds", "photos")  # folders of the cache
MOST_BYTES = 4 * 2**30  # of all of them; beyond it what was used longest ago goes. ImageNet's 50,000 scores are 0.2e9
LIBRARIES = ("tensorflow", "keras")


def cache_folder() -> Path:
    """Where it is kept: ``$XDG_CACHE_HOME/keras_resnet``, by default under ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_resnet"


def version_of(*makers) -> str:
    """A short hash of the source of ``makers``, functions, modules and packages, and of the libraries that compute."""
    parts = [_source(maker) for maker in makers] + [metadata.version(library) for library in LIBRARIES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _source(maker) -> str:
    if hasattr(maker, "__path__"):
        return "\0".join(path.read_text() for path in sorted(Path(maker.__path__[0]).rglob("*.py")))
    return inspect.getsource(maker)


def kept(name: str, compute: Callable[[], np.ndarray], *makers) -> np.ndarray:
    """``compute()``, or what the same ``makers`` gave the last time under ``name``; a cache that fails only costs time.

    Args:
        name: ``kind/key``, the key telling all that the value depends on but the code.
        compute: makes the value.
        makers: functions, modules and packages whose source decides what the value is.
    """
    path = cache_folder() / f"{name}-{version_of(*makers)}.npy"
    try:
        value = np.load(path, allow_pickle=False)
        os.utime(path)
        return value
    except (OSError, ValueError, EOFError):  # not made yet, or not written to its end
        pass
    value = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda part: np.save(part, value))
        evict()
    except OSError:
        pass
    return value


def evict() -> None:
    """Remove what was used longest ago until the rest takes no more than ``MOST_BYTES``."""
    used = []
    for kind in KINDS:
        for path in (cache_folder() / kind).glob("*"):
            try:
                stat = path.stat()
                used.append((stat.st_mtime, stat.st_size, path))
            except FileNotFoundError:  # another process was first
                pass
    size = sum(each[1] for each in used)
    for _, bytes_, path in sorted(used, key=lambda each: each[0]):
        if size <= MOST_BYTES:
            return
        path.unlink(missing_ok=True)
        size -= bytes_
