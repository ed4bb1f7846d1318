"""A run's curves as its study keeps them: few points, so that results of several machines can be drawn together."""

import numpy as np

SPLITS = ("train", "validation")
MOST_POINTS = 60
LAST = 0.1  # the part of the steps whose training errors are averaged


def thinned(rows: list[dict]) -> dict[str, dict[str, list]]:
    """``{"train": {"step": [...], "error": [...]}, "validation": ...}``, means of neighbours where there are many.

    Args:
        rows: of ``metrics.csv``.
    """
    curves: dict[str, dict[str, list]] = {}
    for split in SPLITS:
        points = np.array([(row["step"], row["error"]) for row in rows if row["split"] == split and "error" in row])
        groups = np.array_split(points.reshape(-1, 2), min(MOST_POINTS, max(1, len(points))))
        groups = [group for group in groups if len(group)]
        curves[split] = {
            "step": [int(group[-1, 0]) for group in groups],
            "error": [round(float(group[:, 1].mean()), 3) for group in groups],
        }
    return curves


def as_rows(curves: dict[str, dict[str, list]]) -> list[dict]:
    """The points as rows of ``metrics.csv``, which figures are drawn from."""
    return [
        {"split": split, "step": step, "error": error}
        for split, points in curves.items()
        for step, error in zip(points["step"], points["error"], strict=True)
    ]


def last_train_error(rows: list[dict], steps: int) -> float:
    """Mean error of the last tenth of ``steps``; a point counts by its steps, as an epoch ends in a short one."""
    points = [row for row in rows if row["split"] == "train"]
    lengths = np.diff([0, *(row["step"] for row in points)])
    errors, last = np.array([row["error"] for row in points]), [row["step"] > (1 - LAST) * steps for row in points]
    return float(np.average(errors[last], weights=lengths[last]))
