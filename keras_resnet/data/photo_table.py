"""Photos listed in a CSV or TSV file: a line of path, label and, if they are divided already, split."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from keras_resnet.data.gathering import sorted_out
from keras_resnet.data.reading import read_text
from keras_resnet.data.splits import LeftOut
from keras_resnet.errors import InputError, shown

DELIMITERS = {".csv": ",", ".tsv": "\t"}
PARTS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
WRITE = "its first line must be path,label or path,label,split"


@dataclass(frozen=True)
class PhotoTable:
    """What a file lists.

    Fields:
        labels: of each photo, by its path, which is absolute or relative to the file's folder.
        parts: "train", "validation" or "test" of each photo; empty where the file has no split.
        left_out: lines that are not used.
    """

    labels: dict[str, str]
    parts: dict[str, str]
    left_out: tuple[LeftOut, ...]


def is_photo_table(name: str) -> bool:
    """Whether a path is that of a list of photos."""
    return os.path.splitext(name)[1].lower() in DELIMITERS


def read_photo_table(file: Path) -> PhotoTable:
    """Read a list of photos.

    Raises:
        InputError: it has no such columns, a line lacks a field, or a photo is listed twice with another label or part.
    """
    text = io.StringIO(read_text(file), newline="")
    listed: dict[str, list[str]] = {}  # label and, where there is a split, part, by path
    again: list[str] = []
    lines: dict[str, int] = {}
    try:
        rows = csv.reader(text, delimiter=DELIMITERS[file.suffix.lower()], strict=True)
        columns = [name.strip().lower() for name in next(rows, [])]
        if columns not in (["path", "label"], ["path", "label", "split"]):
            raise InputError(f"{file} is no list of photos: {WRITE}, not {shown(','.join(columns))}.")
        for cells in rows:
            if not any(cells):
                continue
            path, *about = _fields(file, rows.line_num, cells, len(columns))
            if listed.setdefault(path, about) != about:
                raise InputError(
                    f"{file} lists {path} on line {lines[path]} and, with another label or split, on line "
                    f"{rows.line_num}: keep one of them."
                )
            if lines.setdefault(path, rows.line_num) != rows.line_num:
                again.append(path)
    except csv.Error as error:
        raise InputError(f"{file} is no list of photos ({error}): {WRITE}.") from error
    photos, others = sorted_out(listed)
    repeated = (LeftOut("lines that list a photo again", len(again), again[0]),) if again else ()
    labels = {path: listed[path][0] for path in photos}
    parts = {path: listed[path][1] for path in photos if len(listed[path]) > 1}
    return PhotoTable(labels, parts, (*others, *repeated))


def _fields(file: Path, line: int, cells: list[str], count: int) -> list[str]:
    """Path, label and part of a line."""
    cells = [cell.strip() for cell in cells]
    if len(cells) != count or not all(cells):
        raise InputError(f"{file} has {len(list(filter(None, cells)))} of {count} fields on line {line}: fill it in.")
    path, label = os.path.normpath(cells[0]), cells[1]
    if not label.isprintable() or "\0" in path:
        raise InputError(f"{file} has a path or label that cannot be printed on line {line}: write it again.")
    if count == 2:
        return [path, label]
    part = PARTS.get(cells[2].lower())
    if part is None:
        raise InputError(f"{file} has the split {shown(cells[2])} on line {line}: it must be train, val or test.")
    return [path, label, part]
