"""Runs of a study that were trained elsewhere, from the result that their machine wrote."""

import math
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import read_object

SAME = ("study", "measure", "steps", "batch_size", "base_lr", "data", "train_images", "image_size", "precision")
SAME_ARM = ("model", "change", "settings")
NUMBERS = ("seed", "train_error", "val_error", "seconds")
KEPT = ("test_error", "images_per_second", "skipped_batches", "command", "commit", "hardware", "curves")


def read_earlier(path: Path, own: dict) -> dict[str, dict[int, dict]]:
    """Arm to seed to run of the ``result.json`` at ``path``.

    Args:
        path: the file.
        own: the result of this study so far; the other one must be of the same settings, arm for arm.

    Raises:
        InputError: there is no such file, it is not a study's result, or one of another study or other settings.
    """
    try:
        result = read_object(path)
        different = [key for key in SAME if result[key] != own[key]]
        runs = {name: {run["seed"]: run for run in arm["runs"]} for name, arm in result["arms"].items() if arm["runs"]}
        for run in (run for of_arm in runs.values() for run in of_arm.values()):
            missing = [key for key in (*NUMBERS, *KEPT) if key not in run]
            if missing:
                raise ValueError(f"a run lacks its {', '.join(missing)}")
            if not all(isinstance(run[key], int | float) and math.isfinite(run[key]) for key in NUMBERS):
                raise ValueError("an error, time or seed is not a finite number")
            if run["test_error"] is not None and not math.isfinite(run["test_error"]):
                raise ValueError("a test error is not a finite number")
            if not all(len(points["step"]) == len(points["error"]) for points in run["curves"].values()):
                raise ValueError("a curve has not as many errors as steps")
        different += [
            f"arm {name}"
            for name in runs
            if name not in own["arms"] or any(result["arms"][name][k] != _plain(own["arms"][name][k]) for k in SAME_ARM)
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"--earlier {path} is no result of a study that can be read ({error!s:.200}).") from error
    if different:
        raise InputError(
            f"--earlier {path} is of other settings ({', '.join(different)}): only runs of the same are compared."
        )
    return runs


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
