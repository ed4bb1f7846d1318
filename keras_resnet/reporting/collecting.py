"""Collecting the results of runs, studies and instruments below a folder."""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.studies.statistics import mean_std
from keras_resnet.training.files.metrics_file import read_metrics

SCORE = re.compile(r"(val|test)_(error|m?AP)")  # the beginning of the names of scores in a result
OF_A_RUN = {"settings": dict, "seed": int, "steps": int, "seconds": int | float} | dict.fromkeys(
    ("command", "hardware", "commit"), str
)


@dataclass
class Found:
    """Results by folder. Runs of a study are not among the runs, because the study's result includes them."""

    runs: dict[Path, dict] = field(default_factory=dict)
    studies: dict[Path, dict] = field(default_factory=dict)
    instruments: dict[Path, dict] = field(default_factory=dict)

    def groups(self) -> list[dict]:
        """Groups of runs whose settings differ only in the seed.

        Each group has ``settings``, ``folders``, ``seeds``, ``result`` (of the first seed) and ``scores``: the mean and
        standard deviation (None for a single seed) of each error and average precision, by names such as ``val_error``
        and ``val_AP50``.
        """
        groups: dict[str, list] = {}
        for folder, result in self.runs.items():
            groups.setdefault(_settings_of(result, "seed"), []).append((folder, result))
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
    """All results below ``folder``.

    A file that cannot be read is reported on standard error and left out, and so is a run with the settings and the
    seed of another one, such as a copy, because a seed counts once.

    Raises:
        InputError: there is no such folder, or no result in it.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: give the one that holds runs.")
    results = Found()
    for path in sorted(folder.rglob("result.json")):
        try:
            result = json.loads(path.read_text())
            by_key = {"study": results.studies, "instrument": results.instruments, "settings": results.runs}
            by_folder = next(by_folder for key, by_folder in by_key.items() if key in result)
            if by_folder is results.runs:
                _check_run(result)
        except (OSError, ValueError, StopIteration, TypeError, RecursionError) as error:
            print(f"{path} is left out: it is not a result of this package ({error})", file=sys.stderr)
            continue
        by_folder[path.parent] = result
    runs: dict[str, Path] = {}
    for path, run in results.runs.items():
        if path.parent not in results.studies:
            first = runs.setdefault(_settings_of(run), path)
            if first != path:
                print(f"{path} is left out: it is a run with the settings and the seed of {first}", file=sys.stderr)
    results.runs = {path: results.runs[path] for path in runs.values()}
    if not (results.runs or results.studies or results.instruments):
        raise InputError(f"There is no result.json below {folder}: train something first, or give another folder.")
    return results


def _check_run(result: dict) -> None:
    """Raise ValueError for the result of another program, whose settings are not those of a run."""
    lacking = [name for name, kind in OF_A_RUN.items() if not isinstance(result.get(name), kind)]
    if not lacking:
        lacking = [name for name in ("data", "model") if not isinstance(result["settings"].get(name), str)]
    if lacking:
        raise ValueError(f"it has no {lacking[0]} of a run")
    for name, score in result.items():
        if SCORE.match(name) and not isinstance(score, int | float | None):
            raise ValueError(f"its {name} is no number")


def _settings_of(run: dict, *without: str) -> str:
    """The settings of a run as text, without those that may change when it continues and those named."""
    from keras_resnet.training.files.agreement import MAY_CHANGE

    shared = {key: value for key, value in run["settings"].items() if key not in (*MAY_CHANGE, *without)}
    return json.dumps(shared, sort_keys=True)


def curves(folder: Path) -> list[dict]:
    """The rows of a run's ``metrics.csv``; empty if there is no such file."""
    return read_metrics(folder / "metrics.csv")
