"""Runs of a study from another machine, read from the result that it wrote."""

import math
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import read_object

SETTINGS_KEYS = (
    *("study", "measure", "steps", "batch_size", "base_lr"),
    *("data", "train_images", "image_size", "precision"),
)
ARM_KEYS = ("model", "change", "settings")
NUMERIC_KEYS = ("seed", "train_error", "val_error", "seconds")
OTHER_KEYS = ("test_error", "images_per_second", "skipped_batches", "command", "commit", "hardware", "curves")


def read_earlier(path: Path, current: dict) -> dict[str, dict[int, dict]]:
    """The runs in the ``result.json`` at ``path``, by arm and seed.

    Args:
        path: the file.
        current: the result of this study so far; study, settings and arms must be the same.

    Raises:
        InputError: the file does not exist, or is not the result of this study with these settings.
    """
    try:
        result = read_object(path)
        different = [key for key in SETTINGS_KEYS if result[key] != current[key]]
        runs = {name: {run["seed"]: run for run in arm["runs"]} for name, arm in result["arms"].items() if arm["runs"]}
        for run in (run for by_seed in runs.values() for run in by_seed.values()):
            missing = [key for key in (*NUMERIC_KEYS, *OTHER_KEYS) if key not in run]
            if missing:
                raise ValueError(f"a run lacks its {', '.join(missing)}")
            if not all(isinstance(run[key], int | float) and math.isfinite(run[key]) for key in NUMERIC_KEYS):
                raise ValueError("an error, time or seed is not a finite number")
            if run["test_error"] is not None and not math.isfinite(run["test_error"]):
                raise ValueError("a test error is not a finite number")
            if not all(len(points["step"]) == len(points["error"]) for points in run["curves"].values()):
                raise ValueError("a curve has more or fewer errors than steps")
        different += [
            f"arm {name}"
            for name in runs
            if name not in current["arms"]
            or any(result["arms"][name][key] != _plain(current["arms"][name][key]) for key in ARM_KEYS)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"--earlier {path} is not a valid result of a study ({error!s:.200}).") from error
    if different:
        raise InputError(
            f"--earlier {path} has other settings ({', '.join(different)}): only runs with equal ones are compared."
        )
    return runs


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
