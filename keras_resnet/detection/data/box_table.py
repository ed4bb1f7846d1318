"""Boxes in a CSV file, a line for each: file, class and corners in pixels, and perhaps sizes and a split."""

import csv
import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from keras_resnet.data.photo_table import DELIMITERS, PARTS
from keras_resnet.data.reading import read_text
from keras_resnet.detection.data.annotation_checks import MAX_NAME_LENGTH
from keras_resnet.detection.data.own_boxes import Annotated, own_data
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.errors import InputError, shown

CORNERS = ("xmin", "ymin", "xmax", "ymax")
SIDES = ("width", "height")
COLUMNS = {"filename": "path", "image": "path", "label": "class"}  # other names of a column
FOLDERS = {"train": "train", "val": "valid", "test": "test"}  # Roboflow's, each with a file of its own
TABLE = "_annotations.csv"
WRITE = "its first line must name the columns path,class,xmin,ymin,xmax,ymax, and may name width,height and split"

Row = dict[str, str]  # by column


def find_box_tables(data: Path) -> dict[str, Path] | None:
    """Files of boxes by part, of a CSV file, a folder with ``boxes.csv``, or Roboflow's folders; None without any.

    A single file is of the part ``""``: its own column says which parts there are.
    """
    if data.suffix.lower() in DELIMITERS:
        return {"": data} if os.path.isfile(data) and CORNERS[0] in _header(data) else None
    if os.path.isfile(data / "boxes.csv"):
        return {"": data / "boxes.csv"}
    files = {part: data / folder / TABLE for part, folder in FOLDERS.items()}
    return {part: file for part, file in files.items() if os.path.isfile(file)} or None


def open_table_parts(tables: dict[str, Path]) -> dict[str, Callable[[], DetectionData]]:
    """Functions that open the parts, by ``"train"``, ``"val"`` and ``"test"``; classes are numbered by their names.

    Args:
        tables: as :func:`find_box_tables` returns them.

    Raises:
        InputError: a file lacks columns, or a line is not what it must be.
    """
    by_part: dict[str, dict[Path, list[tuple[str, Row]]]] = {}
    for file_part, file in tables.items():
        for where, row in _rows(file):
            part = file_part or _part(where, row)
            by_part.setdefault(part, {}).setdefault(file.parent / row["path"], []).append((where, row))
    rows = [row for photos in by_part.values() for listed in photos.values() for _, row in listed]
    classes = tuple(sorted({row["class"] for row in rows if row["class"]}))
    source = next(iter(tables.values()))
    if not classes:
        raise InputError(f"{source} has no boxes: {WRITE}.")
    numbers = {name: number for number, name in enumerate(classes)}
    parts = {
        part: [_annotated(file, listed, numbers) for file, listed in photos.items()] for part, photos in by_part.items()
    }
    _check_units(source, np.concatenate([photo.boxes for listed in parts.values() for photo in listed]))
    return {part: partial(own_data, part, tables.get(part, source), classes, listed) for part, listed in parts.items()}


def _header(file: Path) -> list[str]:
    return [_column(name) for name in next(iter(read_text(file).splitlines()), "").split(_delimiter(file))]


def _column(name: str) -> str:
    plain = name.strip().strip('"').lower()
    return COLUMNS.get(plain, plain)


def _delimiter(file: Path) -> str:
    return DELIMITERS[file.suffix.lower()]


def _rows(file: Path) -> list[tuple[str, Row]]:
    """Each line that is not blank, with where it stands."""
    listed = []
    try:
        reader = csv.reader(io.StringIO(read_text(file), newline=""), delimiter=_delimiter(file), strict=True)
        columns = [_column(name) for name in next(reader, [])]
        if len(set(columns)) < len(columns) or not {"path", "class", *CORNERS} <= set(columns):
            raise InputError(f"{file} is no list of boxes: {WRITE}, not {shown(','.join(columns))}.")
        for cells in reader:
            if not any(cells):
                continue
            where = f"{file}, line {reader.line_num}"
            if len(cells) != len(columns):
                raise InputError(f"{where} has {len(cells)} of {len(columns)} fields: correct it.")
            row = dict(zip(columns, map(str.strip, cells), strict=True))
            row["path"] = os.path.normpath(row["path"]) if row["path"] else ""
            names = (row["path"], row["class"] or "-")
            if not all(0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() for name in names):
                raise InputError(f"{where} has no path, or a path or class that cannot be printed: correct it.")
            listed.append((where, row))
    except csv.Error as error:
        raise InputError(f"{file} is no list of boxes ({error}): {WRITE}.") from error
    return listed


def _part(where: str, row: Row) -> str:
    part = PARTS.get(row.get("split", "train").lower())
    if part is None:
        raise InputError(f"{where} has the split {shown(row['split'])}: it must be train, val or test.")
    return {"validation": "val"}.get(part, part)


def _annotated(file: Path, listed: list[tuple[str, Row]], numbers: dict[str, int]) -> Annotated:
    boxes, classes, sizes = [], [], set()
    for where, row in listed:
        if all(row.get(side) for side in SIDES):
            sizes.add(tuple(int(value) for value in _numbers(where, row, SIDES)))
        if not row["class"] and not any(row[corner] for corner in CORNERS):
            continue  # a photo without objects
        if not row["class"]:
            raise InputError(f"{where} has a box without a class: fill it in.")
        boxes.append(_corners(where, row))
        classes.append(numbers[row["class"]])
    if len(sizes) > 1:
        raise InputError(f"{listed[-1][0]} gives {file} another size than an earlier line: correct one of them.")
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    size = next(iter(sizes), None)
    return Annotated(file, corners, np.array(classes, np.int64), listed[0][0], size=size)  # type: ignore[arg-type]


def _corners(where: str, row: Row) -> list[float]:
    box = _numbers(where, row, CORNERS)
    if box[2] < box[0] or box[3] < box[1]:
        raise InputError(
            f"{where} has xmax {box[2]:g} below xmin {box[0]:g}, or ymax {box[3]:g} below ymin {box[1]:g}: if the last "
            "two are the width and height of the box, add its left and upper edge to them."
        )
    return box


def _numbers(where: str, row: Row, columns: tuple[str, ...]) -> list[float]:
    try:
        values = [float(row[column]) for column in columns]
    except ValueError:
        values = [np.nan]
    if not np.isfinite(values).all():
        text = ", ".join(row[column] for column in columns)
        raise InputError(f"{where} has {shown(text)} for {', '.join(columns)}, which are not all numbers: correct it.")
    return values


def _check_units(source: Path, boxes: np.ndarray) -> None:
    if len(boxes) and boxes.max() <= 1:
        raise InputError(
            f"No box of {source} has a number above 1: they look like shares of the picture's sides, and must be "
            "pixels, so multiply xmin and xmax by the picture's width, ymin and ymax by its height."
        )
