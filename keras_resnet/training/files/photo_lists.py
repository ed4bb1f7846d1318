"""The photos that a run began with, so that a continued run numbers its examples as before even if some are lost."""

import functools
import sys
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_resnet.data import Data
from keras_resnet.files import write_whole
from keras_resnet.training.files.checkpoints import CheckpointFolder
from keras_resnet.training.files.workdir import CHECKPOINTS, PHOTOS
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief

ROWS = "rows"


def with_first_photos(data: Data, workdir: Path) -> Data:
    """``data`` with the photos that the run in ``workdir`` began with; those lost since are replaced when read.

    Only images in individual files need this: the numbers of records in shards do not change.
    """

    def opened(part):
        split = getattr(data, part)
        if split is None or split.files is None:
            return split
        return split.with_files(first_photos(workdir, part, split.files))

    return replace(data, openers={part: functools.partial(opened, part) for part in data.openers})


def first_photos(workdir: Path, part: str, now: np.ndarray) -> np.ndarray:
    """The rows of ``part`` that the run in ``workdir`` began with; a new run stores ``now`` there.

    Args:
        workdir: the run's folder, which this process has locked.
        part: ``"train"``, ``"validation"`` or ``"test"``.
        now: rows of :func:`keras_resnet.data.scan.images_in` for the photos that are readable now.
    """
    path = workdir / PHOTOS[part]
    begun = any(
        CheckpointFolder(workdir / CHECKPOINTS).steps()
    )  # a checkpoint of step 0 is of a run that has not trained yet
    first = _read(path, now) if begun else None
    if first is None:
        if is_chief(choose_strategy()):
            write_whole(path, lambda part_file: _write(part_file, now))
        return now
    lost, new = (np.setdiff1d(a["path"], b["path"]) for a, b in ((first, now), (now, first)))
    for count, example, what in (
        (len(lost), lost[:1], "have been lost since it began; the next readable photo replaces each as its turn comes"),
        (len(new), new[:1], "are new since it began, and are left out"),
    ):
        if count and is_chief(choose_strategy()):
            name = example[0].decode(errors="backslashreplace")
            print(f"{count:,} {part} photos of the run in {workdir} {what} (the first is {name})", file=sys.stderr)
    return first


def _write(path: Path, rows: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, **{ROWS: rows})  # type: ignore[arg-type]


def _read(path: Path, now: np.ndarray) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rows = arrays[ROWS]
    except FileNotFoundError:  # an earlier version wrote none
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        rows = np.zeros(0)
    if rows.dtype.names != now.dtype.names or not len(rows):
        print(f"{path} is damaged: the run goes on with the photos that are there now", file=sys.stderr)
        return None
    return rows
