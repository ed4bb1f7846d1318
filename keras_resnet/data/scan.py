"""A kept scan of an image folder that finds what does not decode, before training meets it.

Millions of files are rows of one array, each is looked at once, and one process of several scans for all.
"""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_resnet.data.cache import cache_folder, evict, version_of
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.reading import MOST_LOST, entries_of, read_regular
from keras_resnet.data.splits import fingerprint_of
from keras_resnet.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
NAMED = 20
KEPT_EVERY = 20_000  # images, after which a scan that is stopped continues
UNKNOWN, BAD, GOOD = -1, 0, 1
FIELDS = ("path", "directory", "size", "modified", "state")


def images_in(folder: Path, directories: Sequence[str]) -> np.ndarray:
    """The images in ``directories`` of ``folder`` that decode; the others are named and counted on standard error.

    The scan is made once: its results are kept by path, size and modification time, and only new or changed
    files are decoded again. A process that had to wait for another's scan takes what that found.

    Returns:
        A row an image, by directory and name: ``path`` below ``folder``, bytes; ``directory``, int32, its place in
        ``directories``; ``size`` in bytes and ``modified`` in nanoseconds, int64; ``state``, int8, which is ``GOOD``.

    Raises:
        InputError: more than 1 % of the files do not decode.
    """

    def listed():
        return np.concatenate([_listed(folder, directory, number) for number, directory in enumerate(directories)])

    return _readable(folder, scan_file(folder), listed)


def fetch_from(folder: Path, files: np.ndarray) -> Callable[[int], bytes]:
    """What takes a position in ``files``, rows of :func:`images_in`, to the bytes of its file.

    It raises :class:`InputError` for a file that cannot be read, or that has changed and does not decode any more.
    """
    from keras_resnet.data import augment

    known = np.stack([files["size"], files["modified"]], axis=1)

    def fetch(position):
        path = _full(folder, files["path"][position])
        encoded, now = read_regular(path)
        if now != tuple(known[position]):
            problem = augment.problem(encoded)
            if problem:
                raise InputError(f"{path} does not decode any more: {problem}.")
            known[position] = now
        return encoded

    return fetch


def listed_images(folder: Path, paths: list[str]) -> np.ndarray:
    """Those of ``paths`` under ``folder`` that decode; else as :func:`images_in`.

    The scan is kept for each such list.
    """
    names = [os.fsencode(os.path.relpath(path, folder)) for path in paths]
    return _readable(folder, scan_file(folder, fingerprint_of(names)), lambda: _rows(folder, names, 0))


def scan_file(folder: Path, which: str = "") -> Path:
    """Where the scan of ``folder``, or of ``which`` of its files, is kept."""
    from keras_resnet.data.augment import decode

    name = f"{fingerprint_of([str(folder.resolve()), which])}-{version_of(decode)}"
    return cache_folder() / "scans" / f"{name}.npy"


def _readable(folder: Path, kept: Path, listed: Callable[[], np.ndarray]) -> np.ndarray:
    before = _written(kept)
    with one_at_a_time(kept, f"checking {folder}"):
        known = _read(kept)
        if known is not None and _written(kept) != before and (known["state"] != UNKNOWN).all():
            files = known  # of who was waited for
        else:
            files = _scan(folder, listed(), known, kept)
    bad = files[files["state"] == BAD]
    if len(bad):
        _tell(folder, bad["path"], len(files), kept.with_suffix(".txt"))
    if len(bad) > MOST_LOST * len(files):
        first = _full(folder, bad["path"][0])
        raise InputError(
            f"{len(bad)} of {len(files)} images in {folder} do not decode, more than {MOST_LOST:.0%} "
            f"(the first is {first}: {_problem(first)}): repair or remove them."
        )
    return files[files["state"] == GOOD]


def is_image(name: str) -> bool:
    """Whether a file's name is that of an image."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def stamp(path: str) -> str:
    """Size and modification time of a file, which change with its content."""
    stat = os.stat(path)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _scan(folder, files, known, kept) -> np.ndarray:
    """``files`` with their states, those of the ``known`` scan where they have not changed since."""
    if known is not None and len(known):
        order = np.argsort(known["path"], kind="stable")
        places = np.searchsorted(known["path"], files["path"], sorter=order)
        before = known[order[np.minimum(places, len(known) - 1)]]
        same = np.all([before[field] == files[field] for field in ("path", "size", "modified")], axis=0)
        files["state"][same] = before["state"][same]
    _decode(folder, files, kept)
    return files


def _listed(folder, directory, number) -> np.ndarray:
    names = [name for name, _ in entries_of(folder / directory) if is_image(name)]
    return _rows(folder, [os.fsencode(os.path.join(directory, name)) for name in names], number)


def _rows(folder, paths, number) -> np.ndarray:
    rows = [(path, number, *_size_and_time(_full(folder, path)), UNKNOWN) for path in paths]
    types = (f"S{max(map(len, paths), default=1)}", "i4", "i8", "i8", "i1")
    return np.array(rows, list(zip(FIELDS, types, strict=True)))


def _size_and_time(path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:  # such as a link to nothing, which does not decode either
        return -1, 0
    return found.st_size, found.st_mtime_ns


def _decode(folder, files, kept) -> None:
    """Find the unknown states, in parallel, with a progress bar on a terminal, and keep them from time to time."""
    import tqdm

    fresh = np.flatnonzero(files["state"] == UNKNOWN)
    progress = tqdm.tqdm(total=len(fresh), desc=f"checking {folder}", unit=" images", disable=None, leave=False)
    with progress, ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, max(1, len(fresh)), KEPT_EVERY):  # also where nothing is new: others may wait for it
            some = fresh[start : start + KEPT_EVERY]
            problems = threads.map(lambda path: _problem(_full(folder, path)), files["path"][some])
            for place, problem in zip(some, problems, strict=True):
                files["state"][place] = BAD if problem else GOOD
                progress.update()
            _keep(kept, files, start + KEPT_EVERY >= len(fresh))


def _problem(path: str) -> str:
    """What is wrong with an image file, or an empty string."""
    from keras_resnet.data import augment

    try:
        return augment.problem(read_regular(path)[0])
    except InputError as error:
        return str(error).removeprefix(path).strip(" .")


def _tell(folder, paths, count, everything: Path) -> None:
    for path in paths[:NAMED]:
        print(f"left out {_full(folder, path)}: {_problem(_full(folder, path))}", file=sys.stderr)
    if len(paths) > NAMED:
        try:
            everything.write_bytes(b"".join(os.fsencode(_full(folder, path)) + b"\n" for path in paths))
            print(f"... and {len(paths) - NAMED} more, all in {everything}", file=sys.stderr)
        except OSError:
            print(f"... and {len(paths) - NAMED} more", file=sys.stderr)
    print(f"{len(paths)} of {count} images in {folder} do not decode and are left out", file=sys.stderr)


def _full(folder, path: bytes) -> str:
    return os.path.join(folder, os.fsdecode(path))


def _written(kept: Path) -> int | None:
    try:
        return kept.stat().st_mtime_ns
    except OSError:
        return None


def _read(kept: Path) -> np.ndarray | None:
    try:
        known = np.load(kept, allow_pickle=False)
    except (OSError, ValueError, EOFError):  # no scan yet, or one that was not written to its end: scan again
        return None
    return known if known.dtype.names == FIELDS else None


def _keep(kept: Path, files: np.ndarray, last: bool) -> None:
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(part, files)
        os.replace(part, kept)
        evict()
    except OSError as error:
        if last:
            print(f"the scan could not be kept in {kept} ({error.strerror}); the next run scans again", file=sys.stderr)
