"""The photos that a run began with, so that a continued one numbers its examples as before, whatever was lost since."""

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


def with_first_photos(found: Data, workdir: Path) -> Data:
    """``found`` with the photos that the run in ``workdir`` began with; those lost since are replaced as they are read.

    Only images in files of their own need it: record shards are numbered as they are.
    """

    def opened(part):
        split = getattr(found, part)
        if split is None or split.files is None:
            return split
        return split.with_files(first_photos(workdir, part, split.files))

    return replace(found, openers={part: functools.partial(opened, part) for part in found.openers})


def first_photos(workdir: Path, part: str, now: np.ndarray) -> np.ndarray:
    """The rows of a part with which the run in ``workdir`` began; a run that begins keeps those of ``now`` there.

    Args:
        workdir: the run's folder, which this process holds.
        part: which file there holds them.
        now: rows of :func:`keras_resnet.data.scan.images_in`, of the photos that are there and whole.
    """
    path = workdir / PHOTOS[part]
    begun = any(CheckpointFolder(workdir / CHECKPOINTS).steps())  # the first step's is of a run without steps yet
    first = _read(path, now) if begun else None
    if first is None:
        if is_chief(choose_strategy()):
            write_whole(path, lambda whole: _write(whole, now))
        return now
    lost, new = (np.setdiff1d(a["path"], b["path"]) for a, b in ((first, now), (now, first)))
    for count, example, what in (
        (len(lost), lost[:1], "are lost since it began, and are replaced by the next whole one as their turn comes"),
        (len(new), new[:1], "are new since it began, and left out"),
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
        with np.load(path, allow_pickle=False) as kept:
            rows = kept[ROWS]
    except FileNotFoundError:  # a run of an earlier version
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        rows = np.zeros(0)
    if rows.dtype.names != now.dtype.names or not len(rows):
        print(f"{path} is damaged: the run goes on with the photos that are there now", file=sys.stderr)
        return None
    return rows
