"""A cached scan of an image folder that finds files that do not decode before training reads them.

It is made for millions of files: they are rows of one array, each is examined once, and one of several processes scans
for all of them.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_resnet.data.cache import cache_folder, store, stored, version_of
from keras_resnet.data.gathering import files_below, sorted_out
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.reading import read_regular
from keras_resnet.data.splits import LeftOut, fingerprint_of
from keras_resnet.errors import InputError

MAX_BAD_SHARE = 0.2  # of the photos of a folder
MAX_LISTED = 20
SAVE_INTERVAL = 20_000  # images between saves, from which a stopped scan continues
Paths = Sequence[bytes] | np.ndarray
UNKNOWN, BAD, GOOD = -1, 0, 1
FIELDS = ("path", "directory", "size", "modified", "state")


def images_in(folder: Path, directories: Sequence[str]) -> np.ndarray:
    """The images in ``directories`` of ``folder`` that decode; the others are named and counted on standard error.

    Results are cached by path, size and modification time, so only new or changed files are decoded again, and those
    that did not decode: a file becomes readable without a change of its own. A process that had to wait for another's
    scan of the same files uses its results.

    Returns:
        One row per image, sorted by directory and name: ``path`` below ``folder``, bytes; ``directory``, int32, its
        index in ``directories``; ``size`` in bytes and ``modified`` in nanoseconds, int64; ``state``, int8: ``GOOD``.

    Raises:
        InputError: more than 20 % of the files do not decode.
    """
    paths = [sorted_out(files_below(folder / directory))[0] for directory in directories]
    names = [
        [os.fsencode(os.path.join(d, path)) for path in names] for d, names in zip(directories, paths, strict=True)
    ]
    return whole_of(folder, names)[0]


def whole_of(folder: Path, paths: Sequence[Paths], which: str = "") -> tuple[np.ndarray, tuple[LeftOut, ...]]:
    """The rows, as :func:`images_in` gives them, of those of ``paths`` that decode, and what does not.

    Args:
        folder: under which the paths are.
        paths: for each ``directory``, of its images.
        which: tells this scan of the folder from others.
    """
    return _whole(folder, scan_file(folder, which), paths)


def fetch_from(folder: Path, files: np.ndarray) -> Callable[[int], bytes]:
    """A function from a position in ``files``, rows of :func:`images_in`, to the bytes of that file.

    It raises :class:`InputError` if the file cannot be read, or has changed and no longer decodes.
    """
    from keras_resnet.data import decoding

    known = np.stack([files["size"], files["modified"]], axis=1)

    def fetch(position):
        path = _full(folder, files["path"][position])
        encoded, now = read_regular(path)
        if now != tuple(known[position]):
            problem = decoding.problem(encoded)
            if problem:
                raise InputError(f"{path} no longer decodes: {problem}.")
            known[position] = now
        return encoded

    return fetch


def listed_images(folder: Path, paths: list[str]) -> np.ndarray:
    """The files of ``paths`` under ``folder`` that decode, as rows like those of :func:`images_in`.

    Each such list has a cached scan of its own.
    """
    names = [os.fsencode(os.path.relpath(path, folder)) for path in paths]
    return whole_of(folder, [names], fingerprint_of(names))[0]


def scan_file(folder: Path, which: str = "") -> Path:
    """The file that caches the scan of ``folder``, or of the list of its files with fingerprint ``which``."""
    from keras_resnet.data import decoding, viewing

    name = f"{fingerprint_of([str(folder.resolve()), which])}-{version_of(decoding, viewing)}"
    return cache_folder() / "scans" / f"{name}.npy"


def _whole(folder: Path, cache: Path, paths: Sequence[Paths]) -> tuple[np.ndarray, tuple[LeftOut, ...]]:
    before = _written(cache)
    with one_at_a_time(cache, f"checking {folder}"):
        known = _read(cache)
        if known is not None and _written(cache) != before and _is_complete(known, paths):
            files = known  # from the process that was waited for
        else:
            listed = np.concatenate([_rows(folder, names, number) for number, names in enumerate(paths)])
            files = _scan(folder, listed, known, cache)
    bad = files[files["state"] == BAD]
    if not len(bad):
        return files, ()
    _report(folder, bad["path"], len(files), cache.with_suffix(".txt"))
    first = _full(folder, bad["path"][0])
    if len(bad) > MAX_BAD_SHARE * len(files):
        raise InputError(
            f"{len(bad)} of {len(files)} images in {folder} do not decode, more than {MAX_BAD_SHARE:.0%} "
            f"(the first is {first}: {_problem(first)}): repair or remove them."
        )
    left_out = LeftOut("photos that do not decode", len(bad), os.fsdecode(bad["path"][0]), bad=True)
    return files[files["state"] == GOOD], (left_out,)


def _is_complete(known: np.ndarray, paths: Sequence[Paths]) -> bool:
    """Whether a scan has ended, and is of ``paths``: the folder may be scanned as a part of another data set, too."""
    numbers = np.repeat(np.arange(len(paths)), [len(names) for names in paths])
    asked = [path for names in paths for path in names]
    same = np.array_equal(known["directory"], numbers) and known["path"].tolist() == asked
    return same and bool((known["state"] != UNKNOWN).all())


def stamp(path: str) -> str:
    """The size and modification time of a file, which change with its content."""
    stat = os.stat(path)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _scan(folder, files, known, cache) -> np.ndarray:
    """``files`` with their states, taken from the ``known`` scan for good files that have not changed."""
    if known is not None and len(known):
        order = np.argsort(known["path"], kind="stable")
        places = np.searchsorted(known["path"], files["path"], sorter=order)
        before = known[order[np.minimum(places, len(known) - 1)]]
        same = np.all([before[field] == files[field] for field in ("path", "size", "modified")], axis=0)
        files["state"][same & (before["state"] == GOOD)] = GOOD  # a bad one may only have lacked a permission
    _decode(folder, files, cache)
    return files


def _rows(folder, paths, number) -> np.ndarray:
    rows = [(path, number, *_size_and_time(_full(folder, path)), UNKNOWN) for path in paths]
    types = (f"S{max(map(len, paths), default=1)}", "i4", "i8", "i8", "i1")
    return np.array(rows, list(zip(FIELDS, types, strict=True)))


def _size_and_time(path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:  # such as a broken link, which does not decode either
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _decode(folder, files, cache) -> None:
    """Determine unknown states in parallel, with a progress bar on a terminal, and save them at intervals."""
    import tqdm

    fresh = np.flatnonzero(files["state"] == UNKNOWN)
    progress = tqdm.tqdm(total=len(fresh), desc=f"checking {folder}", unit=" images", disable=None, leave=False)
    with progress, ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, max(1, len(fresh)), SAVE_INTERVAL):  # once at least: others may be waiting
            some = fresh[start : start + SAVE_INTERVAL]
            problems = threads.map(lambda path: _problem(_full(folder, path)), files["path"][some])
            for place, problem in zip(some, problems, strict=True):
                files["state"][place] = BAD if problem else GOOD
                progress.update()
            _save(cache, files, start + SAVE_INTERVAL >= len(fresh))


def _problem(path: str) -> str:
    """What is wrong with an image file, or an empty string."""
    from keras_resnet.data import decoding

    try:
        return decoding.problem(read_regular(path)[0])
    except InputError as error:
        return str(error).removeprefix(path).strip(" .")


def _report(folder, paths, count, full_list: Path) -> None:
    for path in paths[:MAX_LISTED]:
        print(f"left out {_full(folder, path)}: {_problem(_full(folder, path))}", file=sys.stderr)
    if len(paths) > MAX_LISTED:
        try:
            full_list.write_bytes(b"".join(os.fsencode(_full(folder, path)) + b"\n" for path in paths))
            print(f"... and {len(paths) - MAX_LISTED} more, all in {full_list}", file=sys.stderr)
        except OSError:
            print(f"... and {len(paths) - MAX_LISTED} more", file=sys.stderr)
    print(f"{len(paths)} of {count} images in {folder} do not decode and are left out", file=sys.stderr)


def _full(folder, path: bytes) -> str:
    return os.path.join(folder, os.fsdecode(path))


def _written(cache: Path) -> int | None:
    try:
        return cache.stat().st_mtime_ns
    except OSError:
        return None


def _read(cache: Path) -> np.ndarray | None:
    known = stored(cache)
    return known if known is not None and known.dtype.names == FIELDS else None


def _save(cache: Path, files: np.ndarray, last: bool) -> None:
    try:
        store(cache, files)
    except OSError as error:
        if last:
            print(
                f"the scan could not be saved in {cache} ({error.strerror}): the next run repeats it", file=sys.stderr
            )
