"""``metrics.csv``: the points of a run's curves."""

import csv
from pathlib import Path

from keras_resnet.files import write_whole

COLUMNS = (
    "split", "step", "images", "loss", "error", "top5_error", "learning_rate", "images_per_second", "input_wait"
)  # fmt: skip


def read_metrics(path: Path) -> list[dict]:
    """The rows of ``metrics.csv``, numbers as numbers and empty cells left out; none if there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    whole = [row for row in rows if row.keys() >= {"split", "step", "images", "loss", "error"}]
    return [
        {
            key: value if key == "split" else int(value) if key in ("step", "images") else float(value)
            for key, value in row.items()
        }
        for row in whole
    ]


def write_metrics(path: Path, rows: list[dict]) -> None:
    """Write ``rows`` as ``metrics.csv``, whole or not at all."""

    def write(part):
        with open(part, "w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)


def add_row(path: Path, row: dict) -> None:
    """Append ``row``."""
    with open(path, "a", newline="") as file:
        csv.DictWriter(file, COLUMNS).writerow(row)
