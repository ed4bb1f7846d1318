"""What happens around the steps of ``fit``: learning rate, curves, console lines, checkpoints."""

import csv
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_resnet.errors import InputError
from keras_resnet.training.schedules import WARM_UP_ERROR, WARM_UP_FACTOR
from keras_resnet.training.workdir import Workdir

WINDOW = 50  # most steps that one training point of the curves averages
COLUMNS = ("split", "step", "images", "loss", "error", "top5_error", "learning_rate", "images_per_second")


@dataclass
class State:
    """Where a run is; saved with every checkpoint.

    Fields:
        step: steps done.
        warm_up_end: the step at which the warm-up ended, None before; 0 in a run without one.
        best_error: the best validation error so far, in percent.
        seconds: time spent so far, in all sessions.
    """

    step: int = 0
    warm_up_end: int | None = 0
    best_error: float = float("inf")
    seconds: float = 0.0


class LearningRate(keras.callbacks.Callback):
    """Sets the rate of each step; in a warm-up (Sec. 4.2) a tenth, until the training error is below 80 %."""

    def __init__(self, schedule: Callable[[int], float], state: State):
        super().__init__()
        self.schedule, self.state = schedule, state
        self.current: float | None = None

    def on_train_batch_begin(self, batch, logs=None):
        rate = self.schedule(self.state.step)
        if self.state.warm_up_end is None:
            rate *= WARM_UP_FACTOR
        if rate != self.current:
            self.current = rate
            self.model.optimizer.learning_rate = rate

    def end_window(self, error: float) -> None:
        """Take note of the training error over the last window of steps."""
        if self.state.warm_up_end is None and error < WARM_UP_ERROR:
            self.state.warm_up_end = self.state.step


class Curves(keras.callbacks.Callback):
    """Writes ``metrics.csv`` and TensorBoard scalars: a point every window of steps and at each validation.

    TensorBoard's horizontal axis is the step, for images/s the number of images.
    """

    def __init__(self, workdir: Path, state: State, batch_size: int, epoch_steps: int, rate: LearningRate):
        super().__init__()
        self.window = min(WINDOW, epoch_steps)
        import tensorflow as tf

        self.tf, self.state, self.batch_size, self.rate = tf, state, batch_size, rate
        self.path = workdir / "metrics.csv"
        self.rows = [row for row in read_metrics(self.path) if row["step"] <= state.step]
        write_metrics(self.path, self.rows)  # what a stopped run did after its last checkpoint is done again
        self.writers = {split: tf.summary.create_file_writer(str(workdir / split)) for split in ("train", "validation")}
        self.last: dict[str, dict] = {}
        self.window_over = False

    def on_epoch_begin(self, epoch, logs=None):
        self._start_window()

    def on_train_batch_begin(self, batch, logs=None):
        if self.window_over:  # not at its end, where an epoch may end too and show its metrics
            self.model.reset_metrics()
            self.window_over = False

    def on_train_batch_end(self, batch, logs=None):
        self.state.step += 1
        if self.state.step - self.window_step == self.window:
            self._end_window(logs)

    def _start_window(self):
        self.window_step, self.window_time = self.state.step, time.perf_counter()

    def _end_window(self, logs):
        values = {key: float(value) for key, value in logs.items()}
        throughput = self.window * self.batch_size / (time.perf_counter() - self.window_time)
        self._write("train", {**values, "learning_rate": self.rate.current, "images_per_second": throughput})
        self.rate.end_window(values["error"])
        self.window_over = True
        self._start_window()

    def on_epoch_end(self, epoch, logs=None):
        values = {key.removeprefix("val_"): value for key, value in logs.items() if key.startswith("val_")}
        self._write("validation", values)

    def _write(self, split: str, values: dict[str, float]):
        if not math.isfinite(values["loss"]):
            raise InputError(
                f"The {split} loss is {values['loss']} at step {self.state.step}: start again with a lower --base-lr "
                "and another --workdir."
            )
        images = self.state.step * self.batch_size
        row = {"split": split, "step": self.state.step, "images": images, **values}
        self.rows.append(row)
        self.last[split] = row
        with open(self.path, "a", newline="") as file:
            csv.DictWriter(file, COLUMNS).writerow(row)
        with self.writers[split].as_default():
            for name, value in values.items():
                self.tf.summary.scalar(name, value, images if name == "images_per_second" else self.state.step)
        self.writers[split].flush()


class ConsoleLine(keras.callbacks.Callback):
    """One line an epoch, for logs and pipes."""

    def __init__(self, curves: Curves, epochs: int, start: float):
        super().__init__()
        self.curves, self.epochs, self.start = curves, epochs, start

    def on_epoch_end(self, epoch, logs=None):
        train, validation = self.curves.last.get("train"), self.curves.last["validation"]
        parts = [f"epoch {epoch + 1}/{self.epochs}", f"step {self.curves.state.step}"]
        if train:
            parts += [f"loss {train['loss']:.3f}", f"error {train['error']:.1f} %"]
        parts += [f"val_error {validation['error']:.2f} %", f"rate {self.curves.rate.current:.4g}"]
        if train:
            parts += [f"{train['images_per_second']:.0f} images/s"]
        print("  ".join([*parts, f"{time.perf_counter() - self.start:.0f} s"]), flush=True)


class Checkpoints(keras.callbacks.Callback):
    """After each validation keeps a checkpoint, and the model if it is the best so far."""

    def __init__(self, workdir: Workdir, state: State):
        super().__init__()
        self.workdir, self.state = workdir, state
        self.clock = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self.state.seconds += now - self.clock
        self.clock = now
        if logs["val_error"] < self.state.best_error:
            self.state.best_error = float(logs["val_error"])
            self.workdir.save_model("best.keras", self.model)
        self.workdir.save_checkpoint(self.model, vars(self.state))


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
    """Write ``rows`` as ``metrics.csv``."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
