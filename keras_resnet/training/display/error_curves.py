"""The curves of a run: ``metrics.csv`` and TensorBoard scalars."""

import contextlib
import time
from collections.abc import Iterator

import tensorflow as tf

from keras_resnet.errors import InputError, system_error
from keras_resnet.files import remedy
from keras_resnet.training.context import RunContext
from keras_resnet.training.display import tensorboard
from keras_resnet.training.display.console import Console
from keras_resnet.training.files.workdir import EVENTS
from keras_resnet.training.stepping.step import Step


class Curves:
    """Writes a point for every window of steps and for each validation; only the chief writes.

    TensorBoard's horizontal axis is the step; for images/s it is the number of images.
    """

    def __init__(self, context: RunContext, console: Console):
        self.state, self.calendar, self.batch_size = context.state, context.calendar, context.settings.batch_size
        self.task, self.workdir, self.console, self.tracking = context.task, context.workdir, console, context.tracking
        self.chief, self.together = self.workdir.chief, self.workdir.together
        self.writers = {}
        if self.chief:
            self.writers = {split: tf.summary.create_file_writer(str(self.workdir.path / split)) for split in EVENTS}
        self.go_back()

    @contextlib.contextmanager
    def events(self, split: str) -> Iterator[None]:
        """Summaries within a ``with`` block go to the event files of ``split``.

        Raises:
            InputError: they cannot be written, which TensorFlow says by an error of its own.
        """
        try:
            with self.writers[split].as_default():
                yield
                self.writers[split].flush()
        except tf.errors.OpError as error:
            said = system_error(error)
            if said is None or "events.out.tfevents" not in said.filename:
                raise
            raise InputError(
                f"{self.workdir.path / split} cannot be written ({said.strerror}); the checkpoints are intact: "
                f"{remedy(said)}, then run the same command again."
            ) from error

    def go_back(self) -> None:
        """Drop the points after the state's step: these steps are trained again."""
        self.workdir.restore_rows(self.state.step, self.task.metric_names)
        self.console.last = next((row for row in reversed(self.rows) if row["split"] == "train"), {})

    @property
    def rows(self) -> list[dict]:
        """The points, as ``metrics.csv`` has them."""
        return self.workdir.metrics.rows

    def start_window(self) -> None:
        """Start the clock that images/s and the wait for input are measured by."""
        self.window_step, self.window_time = self.state.step, time.perf_counter()

    def step(self) -> None:
        """Count a step, and show progress on the console if it is due."""
        steps = self.state.step - self.window_step
        seconds = time.perf_counter() - self.window_time
        if self.chief:
            self.console.step(self.state, self.calendar, steps * self.batch_size / seconds if steps else None)

    def train_point(self, model: Step, values: dict[str, float], rate: float | None) -> None:
        """Write a point of the training curves at the end of a window."""
        seconds = time.perf_counter() - self.window_time
        steps = self.state.step - self.window_step
        waited = min(1.0, model.reset_waited() / seconds)
        speed = steps * self.batch_size / seconds
        row = {**values, "learning_rate": rate, "images_per_second": speed, "input_wait": waited}

        def show():
            self._write("train", row)
            if self.chief:
                with self.events("train"):
                    tensorboard.health(model, self.state.step)
                self.console.train(self.state, self.calendar, row)

        self.together(show)
        self.start_window()

    def validation_point(self, model: Step, values: dict[str, float]) -> None:
        """Write a point of the validation curves."""

        def show():
            self._write("validation", values)
            if self.chief:
                with self.events("validation"):
                    self.task.reporter.validation_images(model, self.state.step)
                self.console.validation(self.state, self.calendar, self.task.reporter.validation_summary(values))

        self.together(show)
        self.start_window()

    def end_epoch(self) -> None:
        """Show an epoch that ended without a validation."""
        if self.chief:
            self.console.validation(self.state, self.calendar, "")

    def _write(self, split: str, values: dict[str, float]):
        images = self.state.step * self.batch_size
        row = {"split": split, "step": self.state.step, "images": images, **values}
        self.workdir.add_row(row)
        if not self.chief:
            return
        with self.events(split):
            for name, value in values.items():
                tf.summary.scalar(name, value, images if name == "images_per_second" else self.state.step)
        self.tracking.row(row)
