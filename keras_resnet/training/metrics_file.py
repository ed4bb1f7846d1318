"""``metrics.csv``: the points of a run's curves."""

import csv
from pathlib import Path

from keras_resnet.files import write_whole

BEFORE, AFTER = ("split", "step", "images"), ("learning_rate", "images_per_second", "input_wait")


def read_metrics(path: Path) -> list[dict]:
    """The rows of ``metrics.csv``, numbers as numbers and empty cells left out; none if there is no file."""
    if not path.exists():
        return []
    whole = path.read_bytes().decode().rpartition("\n")[0]  # a killed process may leave half a line
    rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(whole.splitlines())]
    return [
        {
            key: value if key == "split" else int(value) if key in ("step", "images") else float(value)
            for key, value in row.items()
        }
        for row in rows
    ]


def write_metrics(path: Path, rows: list[dict], columns: tuple[str, ...]) -> None:
    """Write ``rows`` as ``metrics.csv``, whole or not at all; ``columns`` are those between step and rate."""

    def write(part):
        with open(part, "w", newline="") as file:
            writer = csv.DictWriter(file, (*BEFORE, *columns, *AFTER))
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)


def add_row(path: Path, row: dict, columns: tuple[str, ...]) -> None:
    """Append ``row``."""
    with open(path, "a", newline="") as file:
        csv.DictWriter(file, (*BEFORE, *columns, *AFTER)).writerow(row)
