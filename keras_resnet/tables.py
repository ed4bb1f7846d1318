"""Tables of measurements, printed as Markdown row by row and written to result files with their provenance."""

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_resnet.files import write_json


@dataclass
class Table:
    """A table of text cells.

    Fields:
        name: its name in result files.
        columns: the header.
        rows: the cells as text.
        right_aligned: whether Markdown aligns all columns but the first to the right.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    right_aligned: bool = True

    def markdown(self) -> str:
        """The table as Markdown."""
        return "\n".join([self._header(), *map(_line, self.rows)])

    def aligned(self) -> str:
        """The table for a terminal, each column as wide as its cells; all but the first are aligned to the right."""
        lines = [self.columns, *self.rows]
        first, *others = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
        text = []
        for name, *cells in lines:
            padded = (" " * (width - _width(cell)) + cell for cell, width in zip(cells, others, strict=True))
            text.append("  ".join([name + " " * (first - _width(name)), *padded]).rstrip())
        return "\n".join([text[0], "-" * len(text[0]), *text[1:]])

    def print_header(self) -> None:
        """Print the header; :meth:`add` then prints each row."""
        print(self._header(), flush=True)

    def add(self, *cells: object) -> None:
        """Add a row and print it."""
        self.rows.append(tuple(map(str, cells)))
        print(_line(self.rows[-1]), flush=True)

    def _header(self) -> str:
        return f"{_line(self.columns)}\n|---|{('--:|' if self.right_aligned else '---|') * (len(self.columns) - 1)}"


def write_tables(path: Path | None, tables: Iterable[Table], **about: Any) -> None:
    """Write ``tables`` and ``about`` to a JSON result file, with this process' provenance; nothing without a path.

    Raises:
        OSError: the file cannot be written; an earlier file at that path is unchanged.
    """
    if path is None:
        return
    from keras_resnet.training.files.run_result import provenance

    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"tables": as_json(tables)} | about | provenance())


def write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of cells, the header first, as UTF-8; letters that UTF-8 lacks, as in names of files, are escaped."""
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def as_json(tables: Iterable[Table]) -> dict[str, dict]:
    """``tables`` by name, as plain values."""
    return {table.name: {"columns": list(table.columns), "rows": [list(row) for row in table.rows]} for table in tables}


def _width(text: str) -> int:
    """Columns of a terminal that ``text`` takes: two for each wide letter, such as Chinese ones."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def _line(cells: Iterable[str]) -> str:
    """A line of Markdown; a bar within a cell is no edge of it."""
    inner = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(inner)} |"
