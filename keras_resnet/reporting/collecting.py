"""Results below a folder: runs, studies, and what instruments measured."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.studies.statistics import mean_std
from keras_resnet.training.files.metrics_file import read_metrics

SCORE = re.compile(r"(val|test)_(error|m?AP)")  # begins the names of scores in a result


@dataclass
class Found:
    """Folders with their results, by kind; runs that belong to a study are only in the study."""

    runs: dict[Path, dict] = field(default_factory=dict)
    studies: dict[Path, dict] = field(default_factory=dict)
    instruments: dict[Path, dict] = field(default_factory=dict)

    def groups(self) -> list[dict]:
        """Runs whose settings differ in the seed alone, together.

        Each has ``settings``, ``folders``, ``seeds``, ``result``, that of the first seed, and ``scores``: mean and
        standard deviation (None of a single seed) of each error and average precision, ``val_error`` or ``val_AP50``.
        """
        from keras_resnet.training.files.workdir import MAY_CHANGE

        groups: dict[str, list] = {}
        for folder, result in self.runs.items():
            own = {key: value for key, value in result["settings"].items() if key not in ("seed", *MAY_CHANGE)}
            groups.setdefault(json.dumps(own, sort_keys=True), []).append((folder, result))
        rows = []
        for members in groups.values():
            members.sort(key=lambda member: member[1]["seed"])
            row = {"settings": members[0][1]["settings"], "result": members[0][1]}
            row |= {"folders": [f for f, _ in members], "seeds": [r["seed"] for _, r in members]}
            row["scores"] = {}
            for key in (key for key in row["result"] if SCORE.match(key)):
                values = [r[key] for _, r in members if r.get(key) is not None]
                if values:
                    row["scores"][key] = mean_std(values)
            rows.append(row)
        return sorted(rows, key=lambda row: (row["settings"]["data"], row["settings"]["model"]))


def collect(folder: Path) -> Found:
    """All results below ``folder``. A file that cannot be read is named on standard error and left out.

    Raises:
        InputError: there is no such folder, or no result in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: give the one that holds runs.")
    found = Found()
    for path in sorted(folder.rglob("result.json")):
        try:
            result = json.loads(path.read_text())
            kinds = {"study": found.studies, "instrument": found.instruments, "settings": found.runs}
            kind = next(kind for key, kind in kinds.items() if key in result)
        except (OSError, ValueError, StopIteration, TypeError) as error:
            print(f"{path} is left out: it is no result of this package ({error})", file=sys.stderr)
            continue
        kind[path.parent] = result
    found.runs = {path: run for path, run in found.runs.items() if path.parent not in found.studies}
    if not (found.runs or found.studies or found.instruments):
        raise InputError(f"There is no result.json below {folder}: train something first, or give another folder.")
    return found


def curves(folder: Path) -> list[dict]:
    """The rows of a run's curves; none where there is no file."""
    return read_metrics(folder / "metrics.csv")
