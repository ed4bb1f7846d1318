"""Experiment trackers: MLflow and Weights & Biases get the rows of ``metrics.csv`` as they are written.

Both come with extras of their names. MLflow writes where ``MLFLOW_TRACKING_URI`` says, or to ``mlflow.db`` in the
current folder; Weights & Biases needs ``wandb login``, or ``WANDB_MODE=offline``, which writes to ``wandb/``.
"""

import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

from keras_resnet.errors import InputError
from keras_resnet.extras import needed
from keras_resnet.files import object_or_none
from keras_resnet.training.files.run_result import final_values
from keras_resnet.training.files.workdir import TRACKING, Workdir

PROJECT = "keras_resnet"
LONGEST = 500  # characters of a setting or of a tracker's error


class Tracker(Protocol):
    """A run of a tracker, begun or continued.

    Attributes:
        run_id: by which the tracker knows the run.
    """

    run_id: str

    def row(self, row: dict[str, Any]) -> None:
        """Take a row of ``metrics.csv``."""
        ...

    def end(self, result: dict[str, Any]) -> None:
        """Take the final errors, or other results, of the finished run."""
        ...

    def close(self, finished: bool) -> None:
        """End the connection; an unfinished run may be continued."""
        ...


class MlflowTracker:
    """A run of MLflow's experiment ``keras_resnet``.

    Args:
        name: of the run.
        settings: as plain values, which become parameters.
        run_id: of an earlier process of the same run; None for a new one.
    """

    def __init__(self, name: str, settings: dict[str, Any], run_id: str | None):
        mlflow = needed("mlflow", "mlflow")
        self.entities, self.client = needed("mlflow.entities", "mlflow"), mlflow.MlflowClient()
        if run_id is not None:
            self.client.update_run(run_id, status="RUNNING")
            self.run_id = run_id
            return
        experiment = self.client.get_experiment_by_name(PROJECT)
        number = experiment.experiment_id if experiment else self.client.create_experiment(PROJECT)
        self.run_id = self.client.create_run(number, run_name=name).info.run_id
        given = {key: str(value)[:LONGEST] for key, value in settings.items() if value is not None}
        self.client.log_batch(self.run_id, params=[self.entities.Param(*item) for item in given.items()])

    def row(self, row: dict[str, Any]) -> None:
        """Take a row of ``metrics.csv``."""
        self._log(values_of(row), row["step"])

    def end(self, result: dict[str, Any]) -> None:
        """Take the final errors, or other results, of the finished run."""
        self._log({f"final/{key}": value for key, value in final_values(result).items()}, result["steps"])

    def close(self, finished: bool) -> None:
        """Mark the run as finished or killed."""
        self.client.set_terminated(self.run_id, "FINISHED" if finished else "KILLED")

    def _log(self, values: dict[str, float], step: int) -> None:
        now = int(time.time() * 1000)
        metrics = [self.entities.Metric(name, value, now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)


class WandbTracker:
    """A run of the project ``keras_resnet`` of Weights & Biases; arguments as :class:`MlflowTracker`."""

    def __init__(self, name: str, settings: dict[str, Any], run_id: str | None):
        wandb = needed("wandb", "wandb")
        quiet = wandb.Settings(console="off")  # the terminal's output stays on the terminal
        self.run = wandb.init(
            project=PROJECT, name=name, config=settings, id=run_id, resume="allow", reinit="create_new", settings=quiet
        )
        self.run.define_metric("*", step_metric="step")  # a continued run repeats steps, and wandb's own only grow
        self.run_id = self.run.id

    def row(self, row: dict[str, Any]) -> None:
        """Take a row of ``metrics.csv``."""
        self.run.log({"step": row["step"], **values_of(row)})

    def end(self, result: dict[str, Any]) -> None:
        """Take the final errors, or other results, of the finished run."""
        self.run.summary.update({f"final/{key}": value for key, value in final_values(result).items()})

    def close(self, finished: bool) -> None:
        """Send what is left, or write it."""
        self.run.finish(exit_code=0 if finished else 1)


TRACKERS: dict[str, Callable[[str, dict[str, Any], str | None], Tracker]] = {
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
}


class Tracking:
    """Feeds the tracker of a run, if it has one; when that fails it says so once, and training goes on without."""

    def __init__(self, tracker: Tracker | None = None):
        self.tracker, self.finished = tracker, False

    def row(self, row: dict[str, Any]) -> None:
        """Pass on a row of ``metrics.csv``."""
        self._tell(lambda tracker: tracker.row(row))

    def end(self, result: dict[str, Any]) -> None:
        """Pass on the result of the finished run."""
        self.finished = True
        self._tell(lambda tracker: tracker.end(result))

    def close(self) -> None:
        """End the connection."""
        self._tell(lambda tracker: tracker.close(self.finished))
        self.tracker = None

    def _tell(self, say: Callable[[Tracker], None]) -> None:
        if self.tracker is None:
            return
        try:
            say(self.tracker)
        except Exception as error:  # whatever a tracker's library or its server does, the run is worth more
            self.tracker = None
            print(f"tracking ended ({_short(error)}); metrics.csv has all rows", file=sys.stderr, flush=True)


UNTRACKED = Tracking()


def open_tracking(name: str, workdir: Workdir, settings: dict[str, Any]) -> Tracking:
    """Begin, or continue, the run of the tracker called ``name``, ``"none"`` for none.

    The tracker's own name of the run is kept in the run's folder.

    Raises:
        InputError: the tracker is not installed or does not answer.
    """
    if name == "none":
        return UNTRACKED
    known = object_or_none(workdir.path / TRACKING) or {}
    run_id = known.get(name)
    try:
        tracker = TRACKERS[name](workdir.path.name, settings, run_id if isinstance(run_id, str) else None)
    except InputError:
        raise
    except Exception as error:  # libraries' own errors, of which some are not even exported
        raise InputError(
            f"--track {name} cannot begin ({_short(error)}): set {name} up (docs/own_photos.md), remove "
            f"{workdir.path / TRACKING} to begin a new run there, or leave --track out."
        ) from error
    workdir.write_json(TRACKING, known | {name: tracker.run_id})
    return Tracking(tracker)


def values_of(row: dict[str, Any]) -> dict[str, float]:
    """The numbers of a row, by the names that trackers show: ``train/loss``, ``validation/error``."""
    return {f"{row['split']}/{key}": float(value) for key, value in row.items() if key not in ("split", "step")}


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST].rstrip(".")
