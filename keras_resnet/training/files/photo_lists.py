"""The photos that a run began with, so that a continued run numbers its examples as before even if some are lost.

Their classes must stay as they were: the network that is trained knows classes by their numbers. So must records, whose
numbers are all that is known of them.
"""

import functools
import itertools
import os
import sys
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_resnet.data import Data
from keras_resnet.data.splits import Split
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.training.files.agreement import goes_on
from keras_resnet.training.files.workdir import PHOTOS
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief
from keras_resnet.wording import counted

ROWS, CLASSES, FOLDER, CONTENT = "rows", "classes", "folder", "content"
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
WAY_OUT = "give the labels that it began with, or another --workdir"


def with_first_photos(data: Data, workdir: Path) -> Data:
    """``data`` with the photos that the run in ``workdir`` began with; those lost since are replaced when read.

    Only images in individual files can be lost one by one: records must be those that the run began with.

    Raises:
        InputError: when a part is opened whose photos or classes are labelled otherwise, or whose records are others.
    """

    def opened(part):
        split = getattr(data, part)
        if split is not None and split.content:
            _check_records(workdir, part, split.content, data.classes)
        if split is None or split.files is None:
            return split
        first = first_photos(workdir, part, split.files, data.classes)
        together = [other for other in map(functools.partial(getattr, data), data.openers) if _same_place(other, split)]
        _check_labels(workdir, first, np.concatenate([other.files for other in together]), data.classes)
        return split.with_files(first)

    return replace(data, openers={part: functools.partial(opened, part) for part in data.openers})


@dataclass(frozen=True)
class Listed:
    """All photos of a part whose labels do not follow from their paths.

    Fields:
        folder: their common folder, which another one may take the place of when photos are added.
        paths: of the photos below it.
    """

    folder: Path
    paths: Sequence[bytes]


def first_photos(
    workdir: Path, part: str, now: np.ndarray, classes: tuple[str, ...], listed: Listed | None = None
) -> np.ndarray:
    """The rows of ``part`` that the run in ``workdir`` began with; a new run stores ``now`` there.

    Args:
        workdir: the run's folder, which this process has locked.
        part: ``"train"``, ``"validation"`` or ``"test"``.
        now: rows of :func:`keras_resnet.data.scan.images_in` for the photos that are readable now.
        classes: class names, in the order of the labels.
        listed: all photos of the part, below whose folder are the paths of ``now``; None if any path will do.

    Raises:
        InputError: the run began with other classes, or with a photo that is not among ``listed``, so that its place
            cannot be kept.
    """
    path = workdir / PHOTOS[part]
    first, before = _read(path, now, listed) if goes_on(workdir) else (None, None)
    if first is None:
        folder = {} if listed is None else {FOLDER: np.array(os.fsencode(listed.folder))}
        _write(path, {ROWS: now, CLASSES: np.array(classes, str)} | folder)
        return now
    if before is not None:
        _check_classes(workdir, before, classes)
    gone = np.zeros(0) if listed is None else np.setdiff1d(first["path"], listed.paths)
    if len(gone):
        raise InputError(
            f"The run in {workdir} began with {counted(len(gone), 'photo')} that {part} no longer lists, such as "
            f"{gone[0].decode(errors='backslashreplace')}, and would go on with other batches: put back the photos and "
            "annotations that it began with, or give another --workdir."
        )
    lost, new = (np.setdiff1d(a["path"], b["path"]) for a, b in ((first, now), (now, first)))
    for count, example, what in (
        (len(lost), lost[:1], "have been lost since it began; the next readable photo replaces each as its turn comes"),
        (len(new), new[:1], "are new since it began, and are left out"),
    ):
        if count and is_chief(choose_strategy()):
            name = example[0].decode(errors="backslashreplace")
            print(f"{count:,} {part} photos of the run in {workdir} {what} (the first is {name})", file=sys.stderr)
    return first


def first_count(workdir: Path, now: int) -> int:
    """How many training photos the run in ``workdir`` began with, on which its preset depends.

    Args:
        workdir: the run's folder.
        now: how many there are now, which is the answer for a new run, or one of an early version.
    """
    try:
        with np.load(workdir / PHOTOS["train"], allow_pickle=False) as arrays:
            return len(arrays[ROWS]) if goes_on(workdir) else now
    except DAMAGED:  # which is said when the photos are opened; records have no rows, and cannot change
        return now


def _check_records(workdir: Path, part: str, content: str, classes: tuple[str, ...]) -> None:
    """Raise :class:`InputError` if the run began with other records or classes; a new run stores them."""
    path = workdir / PHOTOS[part]
    try:
        with np.load(path, allow_pickle=False) as arrays:
            before = dict(arrays)
    except DAMAGED:  # an earlier version wrote none
        before = {}
    if not (before and goes_on(workdir)):
        _write(path, {CONTENT: np.array(content), CLASSES: np.array(classes, str)})
        return
    if CLASSES in before:
        _check_classes(workdir, tuple(before[CLASSES].tolist()), classes)
    if before.get(CONTENT) != content:
        raise InputError(
            f"The records of {part} are not those that the run in {workdir} began with, and it would go on with other "
            "images: give the earlier ones, or another --workdir."
        )


def _check_classes(workdir: Path, before: tuple[str, ...], classes: tuple[str, ...]) -> None:
    """Raise :class:`InputError` if the run began with other ``classes``."""
    if before == classes:
        return
    pairs = enumerate(itertools.zip_longest(before, classes, fillvalue="missing"))
    number, (was, now_is) = next((number, pair) for number, pair in pairs if pair[0] != pair[1])
    raise InputError(
        f"The run in {workdir} began with {len(before)} classes and its data now has {len(classes)}, of which "
        f"class {number} was {was} and is {now_is}: {WAY_OUT}."
    )


def _same_place(one: Split | None, other: Split) -> bool:
    """Whether the paths of two parts are below the same folder, so that a photo may have moved from part to part."""
    return one is not None and one.files is not None and one.folder == other.folder


def _check_labels(workdir: Path, first: np.ndarray, now: np.ndarray, classes: tuple[str, ...]) -> None:
    """Raise :class:`InputError` if photos of ``first`` are of another class ``now``."""
    _, in_first, in_now = np.intersect1d(first["path"], now["path"], return_indices=True)
    before, after = first[in_first], now[in_now]
    changed = np.flatnonzero(before["directory"] != after["directory"])
    if len(changed):
        row = after[changed[0]]
        raise InputError(
            f"{len(changed):,} photos of the run in {workdir} have another label than when it began (the first is "
            f"{os.fsdecode(row['path'])}, which is now {classes[row['directory']]}): {WAY_OUT}."
        )


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a list as ``path``, which only the chief does."""

    def save(part: Path) -> None:
        with open(part, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    if is_chief(choose_strategy()):
        write_whole(path, save)


def _read(path: Path, now: np.ndarray, listed: Listed | None) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """The stored rows, None if they cannot be used, and class names, None if an earlier version wrote the file."""
    classes = folder = None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rows = arrays[ROWS]
            if CLASSES in arrays:
                classes = tuple(arrays[CLASSES].tolist())
            if FOLDER in arrays:
                folder = bytes(arrays[FOLDER])
    except FileNotFoundError:  # an earlier version wrote none
        return None, None
    except DAMAGED:
        rows = np.zeros(0)
    if rows.dtype.names != now.dtype.names or not len(rows):
        print(f"{path} is damaged: the run goes on with the photos that are there now", file=sys.stderr)
        return None, None
    return rows if listed is None or folder is None else _below(listed, rows, folder), classes


def _below(listed: Listed, rows: np.ndarray, before: bytes) -> np.ndarray:
    """``rows`` whose paths were below the folder ``before``, with paths below that of ``listed``.

    Those of data that were moved, so that ``listed`` has none of them, stay as they are.
    """
    folder = os.fsencode(listed.folder)
    paths = [os.path.relpath(os.path.join(before, path), folder) for path in rows["path"].tolist()]
    if folder == before or not set(paths) & set(listed.paths):
        return rows
    types = {name: rows.dtype[name] for name in rows.dtype.names or ()} | {"path": f"S{max(map(len, paths))}"}
    renamed = rows.astype(list(types.items()))
    renamed["path"] = paths
    return renamed
