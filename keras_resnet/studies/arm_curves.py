"""The curves of a run as its study stores them: few points, for figures from the results of several machines."""

import numpy as np

from keras_resnet.training.files.metrics_file import SPLITS

MAX_POINTS = 60
LAST_SHARE = 0.1  # of the steps, over which the training error is averaged


def thinned(rows: list[dict]) -> dict[str, dict[str, list]]:
    """``{"train": {"step": [...], "error": [...]}, "validation": ...}``, with neighbours averaged if there are many.

    Args:
        rows: the rows of ``metrics.csv``.
    """
    curves: dict[str, dict[str, list]] = {}
    for split in SPLITS:
        points = np.array([(row["step"], row["error"]) for row in rows if row["split"] == split and "error" in row])
        groups = np.array_split(points.reshape(-1, 2), min(MAX_POINTS, max(1, len(points))))
        groups = [group for group in groups if len(group)]
        curves[split] = {
            "step": [int(group[-1, 0]) for group in groups],
            "error": [round(float(group[:, 1].mean()), 3) for group in groups],
        }
    return curves


def as_rows(curves: dict[str, dict[str, list]]) -> list[dict]:
    """The points as rows of ``metrics.csv``, from which figures are drawn."""
    return [
        {"split": split, "step": step, "error": error}
        for split, points in curves.items()
        for step, error in zip(points["step"], points["error"], strict=True)
    ]


def last_train_error(rows: list[dict], steps: int) -> float:
    """The mean training error over the last tenth of ``steps``; points are weighted by their numbers of steps."""
    points = [row for row in rows if row["split"] == "train"]
    lengths = np.diff([0, *(row["step"] for row in points)])
    errors, last = (
        np.array([row["error"] for row in points]),
        [row["step"] > (1 - LAST_SHARE) * steps for row in points],
    )
    return float(np.average(errors[last], weights=lengths[last]))
