"""Checks of annotation files of all formats: boxes, file names and sizes, repaired where the benchmarks allow it."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_resnet.detection.boxes import area
from keras_resnet.detection.data.photos import Photo
from keras_resnet.errors import InputError

OTHER_UNITS = 0.3  # of the boxes beyond their pictures, from which corners are taken for sides
MAX_NAMED = 5  # of the files at fault
MAX_NAME_LENGTH = 1000
MAX_PATH_SHOWN = 150  # characters


class BoxRepairs:
    """Clips boxes to their images, counts what it changed, and reports it once.

    Args:
        source: the annotation file or folder, as messages name it.
    """

    def __init__(self, source: Path):
        self.source = source
        self.counts: Counter[str] = Counter()

    def clip(self, photo: str, boxes: np.ndarray | list, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Clip ``boxes`` ``[n, 4]`` to their image.

        Returns:
            The clipped boxes ``[n, 4]``, and which of them still have an area, bool ``[n]``.

        Raises:
            InputError: corners in the wrong order or not finite; the message names the source and the ``photo``.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        wrong = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
        if wrong.any():
            box = boxes[wrong][0].tolist()
            raise InputError(f"{self.source}: {photo} has a box whose corners are in the wrong order, {box}.")
        clipped = np.clip(boxes, 0, [width, height, width, height])
        kept = area(clipped) > 0
        self.counts["boxes without area inside their image left out"] += int((~kept).sum())
        self.counts["boxes clipped to their image"] += int((kept & (clipped != boxes).any(axis=1)).sum())
        return clipped, kept

    def report(self) -> None:
        """Print on standard error what was changed, if anything."""
        changes = [f"{count:,} {change}" for change, count in self.counts.items() if count]
        if changes:
            print(f"{self.source}: {', '.join(changes)}", file=sys.stderr)


def check_units(boxes: np.ndarray, sides: np.ndarray, source: Path) -> None:
    """Raise :class:`InputError` if boxes of COCO's format are certainly in other numbers than pixels ``x, y, w, h``.

    Args:
        boxes: of all photos, ``[boxes, 4]``.
        sides: widths and heights of their photos, ``[boxes, 2]``.
        source: the annotation file, as messages name it.
    """
    if not len(boxes):
        return
    if boxes.max() <= 1:
        raise InputError(
            f"No box of {source} has a number above 1: they look like shares of the picture's sides, and must be "
            "pixels, so multiply x and width by the picture's width, y and height by its height."
        )
    corner, far = boxes[:, :2], boxes[:, 2:]
    beyond = (corner + far > sides + 1).any(axis=1).mean()
    if beyond > OTHER_UNITS and ((far >= corner) & (far <= sides + 1)).all():
        raise InputError(
            f"{beyond:.0%} of the boxes of {source} lie beyond their pictures, and all would lie inside if their last "
            "two numbers were the right and lower edge: they must be x, y, width and height, so subtract x and y from "
            "these."
        )


def path_below(folder: Path, name: str, source: Path) -> Path:
    """``folder / name``, where ``name`` comes from the file ``source``.

    Raises:
        InputError: the name leads out of the folder, or is not a file name.
    """
    path = Path(name)
    if not 0 < len(name) <= MAX_NAME_LENGTH or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InputError(f"{source} names the file {name[:100]!r}, which is not below {folder}: correct the name.")
    return folder / path


def check_files(photos: Sequence[Photo], source: Path) -> None:
    """Raise :class:`InputError` naming the first photos whose files are missing, or whose folder is not readable."""
    missing = [photo.file for photo in photos if not os.path.isfile(photo.file)]
    if missing:
        check_reachable(missing[0])
        names = ", ".join(str(path)[-MAX_PATH_SHOWN:] for path in missing[:MAX_NAMED])
        raise InputError(f"{source} lists {len(missing)} images that are missing: {names}.")


def check_reachable(path: Path) -> None:
    """Raise :class:`InputError` if permissions of a folder above ``path`` hide whether it exists."""
    try:
        os.stat(path)
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the permissions of its folder.") from error
    except (OSError, ValueError):
        pass
