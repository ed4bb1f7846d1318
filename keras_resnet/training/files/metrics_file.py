"""``metrics.csv``: the points of a run's curves."""

import csv
import math
import sys
from pathlib import Path

from keras_resnet.files import set_aside, write_whole

BEFORE, AFTER = ("split", "step", "images"), ("learning_rate", "images_per_second", "input_wait")
SPLITS = ("train", "validation")
# Rows that a checkpoint holds, to repair a damaged file; the paper's CIFAR-10 protocol has 1,640 in all. The bound
# keeps the cost of a checkpoint at some milliseconds and 300 kB even in a run with a million rows.
CHECKPOINT_ROWS = 2000


def read_metrics(path: Path) -> list[dict]:
    """The rows of ``metrics.csv``, with numbers parsed and empty cells left out; none if there is no file.

    Invalid lines are left out.
    """
    return _read(path)[0]


def write_metrics(path: Path, rows: list[dict], columns: tuple[str, ...]) -> None:
    """Write ``rows`` as ``metrics.csv``, whole or not at all; ``columns`` are the names of the metrics."""

    def write(part):
        with open(part, "w", newline="") as file:
            writer = csv.DictWriter(file, _header(columns))
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)


class Metrics:
    """The rows of a run and their file, which is flushed to the disk with each checkpoint, not with each row.

    Rows after the last checkpoint that a power failure loses are written again when their steps are repeated.

    Attributes:
        rows: the rows up to the current step.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[dict] = []
        self.columns: tuple[str, ...] = ()

    def go_back(self, step: int, columns: tuple[str, ...], saved: list[dict]) -> None:
        """Restore the rows up to ``step``; ``saved`` are the last of them, from the checkpoint of this step.

        A file with invalid lines is renamed, and written anew.
        """
        self.columns = columns
        in_file, bad = _read(self.path, _header(columns))
        if step and not self.path.exists():
            print(f"{self.path} is gone: it starts again with the {len(saved)} rows of the checkpoint", file=sys.stderr)
        if bad:
            set_aside(self.path, f"{bad} of its lines {'is not a row' if bad == 1 else 'are not rows'}")
        saved = [row for row in saved if row["step"] <= step and row.keys() <= set(_header(columns))]
        end = _place(saved[0]) if saved else (step + 1,)
        self.rows = [row for row in in_file if _place(row) < end] + saved
        write_metrics(self.path, self.rows, columns)

    def add(self, row: dict) -> None:
        """Append ``row``."""
        self.rows.append(row)
        if self.path.exists():
            with open(self.path, "a", newline="") as file:
                csv.DictWriter(file, _header(self.columns)).writerow(row)
        else:  # deleted while the run went on
            write_metrics(self.path, self.rows, self.columns)

    def last(self) -> list[dict]:
        """The last rows with plain values, as they would be read from the file."""
        return [{key: _value(key, str(value)) for key, value in row.items()} for row in self.rows[-CHECKPOINT_ROWS:]]


def is_row(row: object) -> bool:
    """Whether ``row`` is valid: a dict with a split, a step, and finite numbers."""
    if not isinstance(row, dict) or row.get("split") not in SPLITS or not isinstance(row.get("step"), int):
        return False
    numbers = [value for key, value in row.items() if key != "split"]
    return row["step"] >= 0 and all(
        isinstance(value, int | float) and -math.inf < value < math.inf for value in numbers
    )


def _header(columns: tuple[str, ...]) -> tuple[str, ...]:
    return (*BEFORE, *columns, *AFTER)


def _place(row: dict) -> tuple[int, int]:
    """The order of rows: the validation of a step follows its training point."""
    return row["step"], SPLITS.index(row["split"])


def _read(path: Path, known: tuple[str, ...] | None = None) -> tuple[list[dict], int]:
    """The rows, and how many lines are invalid for the columns ``known``; an unfinished last line is not counted."""
    if not path.is_file():
        return [], 0
    rows, bad = [], 0
    with open(path, "rb") as file:
        header = file.readline().decode(errors="replace").rstrip("\r\n").split(",")
        if not {"split", "step"} <= set(header) <= set(known or header):
            return [], 1 + sum(1 for _ in file)
        for line in file:
            try:
                rows.append(_row(header, line.decode()))
            except ValueError:
                bad += line.endswith(b"\n")  # a killed process may leave half a line
    return rows, bad


def _row(header: list[str], line: str) -> dict:
    """The row in a line; raises ValueError if the line is invalid or unfinished."""
    if not line.endswith("\n"):
        raise ValueError(line)
    cells = zip(header, line.rstrip("\r\n").split(","), strict=True)
    row = {key: _value(key, cell) for key, cell in cells if cell}
    if not is_row(row):
        raise ValueError(line)
    return row


def _value(key: str, cell: str) -> str | int | float:
    return cell if key == "split" else int(cell) if key in ("step", "images") else float(cell)
