"""Runs from another machine or of another study, read from the result that it wrote."""

import math
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import read_object
from keras_resnet.specs import NetSpec, change_spec, find_spec, parse_changes

SETTINGS_KEYS = ("steps", "batch_size", "base_lr", "data", "train_images", "image_size", "precision")
ARM_KEYS = ("model", "change", "settings")
NUMERIC_KEYS = ("seed", "train_error", "val_error", "seconds")
OTHER_KEYS = ("test_error", "images_per_second", "skipped_batches", "command", "commit", "hardware", "curves")


def read_earlier(path: Path, current: dict) -> dict[str, dict[int, dict]]:
    """The runs in the ``result.json`` at ``path``, by arm of the current study and seed.

    The result may be of another study: what it has of the same networks with the same training is of use here too.

    Args:
        path: the file.
        current: the result of this study so far; the settings must be the same.

    Raises:
        InputError: the file does not exist, is not the result of a study with these settings, has an arm of the same
            study that has changed, or has no arm of this study.
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
        trained = {name: _training(result["arms"][name]) for name in runs}
        same_study = result["study"] == current["study"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"--earlier {path} is not a valid result of a study ({error!s:.200}).") from error
    wanted = {name: _training(arm) for name, arm in current["arms"].items()}
    if same_study:
        different += [f"arm {name}" for name in runs if wanted.get(name) != trained[name]]
    if different:
        raise InputError(
            f"--earlier {path} has other settings ({', '.join(different)}): only runs with equal ones are compared."
        )
    taken = {
        name: by_seed
        for name, training in wanted.items()
        for other, by_seed in runs.items()
        if training == trained[other] and (name == other or not same_study)
    }
    if runs and not taken:
        raise InputError(f"--earlier {path} has no network of this study: it is of study {result['study']!s:.40}.")
    return taken


def _training(arm: dict) -> tuple[NetSpec, dict]:
    """The network of an arm, and the settings of its training."""
    return change_spec(find_spec(arm["model"]), **parse_changes(arm["change"])), arm["settings"]
