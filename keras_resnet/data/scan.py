"""A cached scan of an image folder that finds what does not decode, before training meets it."""

import hashlib
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_resnet.data.cache import cache_folder, evict, version_of
from keras_resnet.errors import InputError

TOO_MANY_BAD = 0.01
NAMED = 20


def readable_images(folder: Path, paths: list[str]) -> set[str]:
    """The ``paths`` under ``folder`` that decode; the others are named and counted on standard error.

    The scan is made once: its results are kept by path, size and modification time, and only new or changed
    files are decoded again.

    Raises:
        InputError: more than 1 % of the files do not decode.
    """
    from keras_resnet.data.augment import decode

    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    cache = cache_folder() / "scans" / f"{name}-{version_of(_problem, decode)}.json"
    known = _read_cache(cache)
    keys = {path: os.path.relpath(path, folder) for path in paths}
    stamps = {path: stamp(path) for path in paths}
    fresh = [path for path in paths if known.get(keys[path], [None])[0] != stamps[path]]
    if fresh:
        for path, problem in zip(fresh, _decode_all(fresh, f"checking {folder}"), strict=True):
            known[keys[path]] = [stamps[path], problem]
        _write_cache(cache, {key: known[key] for key in keys.values()})
    bad = {path: known[keys[path]][1] for path in paths if known[keys[path]][1]}
    if bad:
        for path, problem in list(bad.items())[:NAMED]:
            print(f"left out {path}: {problem}", file=sys.stderr)
        if len(bad) > NAMED:
            print(f"... and {len(bad) - NAMED} more, all in {cache}", file=sys.stderr)
        print(f"{len(bad)} of {len(paths)} images in {folder} do not decode and are left out", file=sys.stderr)
    if len(bad) > TOO_MANY_BAD * len(paths):
        raise InputError(
            f"{len(bad)} of {len(paths)} images in {folder} do not decode, more than {TOO_MANY_BAD:.0%} "
            f"(the first is {next(iter(bad))}): repair or remove them."
        )
    return set(paths) - set(bad)


def stamp(path: str) -> str:
    """Size and modification time of a file, which change with its content."""
    stat = os.stat(path)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _decode_all(paths: list[str], what: str) -> list[str]:
    """For each path what is wrong with it, or an empty string; in parallel, with a progress bar on a terminal."""
    import tqdm

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        work = threads.map(_problem, paths)
        return list(tqdm.tqdm(work, what, total=len(paths), unit=" images", disable=None, leave=False))


def _problem(path: str) -> str:
    import tensorflow as tf

    from keras_resnet.data.augment import decode

    try:
        with tf.device("CPU:0"):
            image = decode(tf.io.read_file(path))
    except tf.errors.OpError as error:
        return error.message.split("\n")[0].split(" [Op:")[0][:200]
    return "" if min(image.shape[:2]) > 0 else "it has no pixels"


def _read_cache(cache: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(cache.read_text())
        os.utime(cache)  # used now: others are evicted first
        return found
    except (OSError, ValueError):  # no scan yet, or one that was not written to its end: scan again
        return {}


def _write_cache(cache: Path, results: dict[str, list[str]]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(results))
        os.replace(part, cache)
        evict()
    except OSError as error:
        print(f"the scan could not be kept in {cache} ({error.strerror}); the next run scans again", file=sys.stderr)
