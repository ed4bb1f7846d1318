"""What happens around the steps of ``fit``: learning rate, divergence, validation, checkpoints and stopping.

They run in this order, on the state of the run; ``Calendar`` says after which step.
"""

import math
import signal
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.training.display.error_curves import Curves
from keras_resnet.training.files.workdir import BEST, Workdir
from keras_resnet.training.judging import settled
from keras_resnet.training.signals import Stopped, StopSignals
from keras_resnet.training.state import Calendar, State
from keras_resnet.training.stepping.schedules import WARM_UP_ERROR, WARM_UP_FACTOR, note_plateau
from keras_resnet.training.stepping.step import Step
from keras_resnet.training.task import Part, Task
from keras_resnet.training.workers import total

MOST_SKIPS = 50  # updates in a row that loss scaling may skip


class Diverged(Exception):
    """A loss or gradient was not finite.

    Attributes:
        step: the first such step, or the last of too many that loss scaling skipped.
        seen_at: the step it was seen at; the run's order is left out up to here.
    """

    def __init__(self, step: int, seen_at: int):
        super().__init__(step)
        self.step, self.seen_at = step, seen_at


class LearningRate(keras.callbacks.Callback):
    """Sets the rate of each step; in a warm-up (Sec. 4.2) a tenth, until the training error is below 80 %."""

    def __init__(self, schedule: Callable[[int, int], float], state: State):
        super().__init__()
        self.schedule, self.state = schedule, state
        self.current: float | None = None

    def on_train_begin(self, logs=None):
        self.current = None  # a checkpoint brings back the rate of its own last step

    def on_train_batch_begin(self, batch, logs=None):
        rate = self.schedule(self.state.step, self.state.drops)
        if self.state.warm_up_end is None:
            rate *= WARM_UP_FACTOR
        if rate != self.current:
            self.current = rate
            self.model.optimizer.learning_rate = rate

    def end_window(self, error: float) -> None:
        """Take note of the training error over the last window of steps."""
        if self.state.warm_up_end is None and error < WARM_UP_ERROR:
            self.state.warm_up_end = self.state.step


class Windows(keras.callbacks.Callback):
    """Counts the steps; at the end of each window looks whether all was finite and writes a point of the curves."""

    def __init__(self, state: State, calendar: Calendar, curves: Curves, rate: LearningRate):
        super().__init__()
        self.state, self.calendar, self.curves, self.rate = state, calendar, curves, rate

    def on_train_begin(self, logs=None):
        self.curves.start_window()

    def on_train_batch_end(self, batch, logs=None):
        self.state.step += 1
        step = self.state.step
        if batch == 0 and not self.calendar.ends_window(step):  # the first step holds the set-up
            self.curves.start_window()
            self.model.waited.assign(0.0)
        self.curves.step()
        if self.calendar.ends_window(step) or self.calendar.saves(step):
            check_finite(self.model, self.state)
        if self.calendar.ends_window(step):
            values = {name: float(value) for name, value in self.model.get_metrics_result().items()}
            self.curves.train_point(self.model, values, self.rate.current)
            if "error" in values:
                self.rate.end_window(values["error"])
            self.model.reset_metrics()


class LostPhotos(keras.callbacks.Callback):
    """At the end of each window ends the run, on all workers, if one has lost too many of the photos it read."""

    def __init__(
        self, parts: tuple[Part | None, ...], state: State, calendar: Calendar, together: Callable[[Callable], None]
    ):
        super().__init__()
        self.readers = [part.reader for part in parts if part is not None and part.reader is not None]
        self.state, self.calendar, self.together = state, calendar, together

    def on_train_batch_end(self, batch, logs=None):
        if self.readers and self.calendar.ends_window(self.state.step):
            self.together(lambda: [reader.check() for reader in self.readers])


def check_finite(model: Step, state: State) -> None:
    """Raise :class:`Diverged` if a step since the last checkpoint was not finite."""
    bad, skips = (int(model.local(v)) for v in (model.bad_step, model.skips))
    if bad >= 0 or skips >= MOST_SKIPS:
        raise Diverged(bad if bad >= 0 else state.step - 1, state.step)


class Validation(keras.callbacks.Callback):
    """Evaluates at the end of each epoch the network that the run would end with, and keeps the best."""

    def __init__(
        self,
        state: State,
        calendar: Calendar,
        curves: Curves,
        workdir: Workdir,
        task: Task,
        follows_plateaus: bool,
        signals: StopSignals,
        strategy: tf.distribute.Strategy,
    ):
        super().__init__()
        self.state, self.calendar, self.curves, self.workdir = state, calendar, curves, workdir
        self.task, self.follows_plateaus, self.signals = task, follows_plateaus, signals
        self.evaluate = task.validator(strategy) if task.validation is not None else None

    def catch_up(self) -> None:
        """Validate if the run was stopped between an epoch's last step and the end of its validation."""
        if self.state.step and self.calendar.ends_epoch(self.state.step):
            self.validate()
        if self.signals.received is not None and self._stopping():  # several workers vote in their next step
            raise Stopped(self.signals.received)

    def on_train_batch_end(self, batch, logs=None):
        if self.calendar.ends_epoch(self.state.step):
            self.validate()

    def validate(self) -> None:
        """Evaluate once after each epoch; a signal ends it early, and it is done again."""
        if self.state.validated == self.state.step:
            return
        if self.evaluate is None:  # nothing is held out to judge by
            self.state.validated = self.state.step
            self.curves.end_epoch()
            return
        with settled(self.model, self.recalibrate):
            values = self.evaluate(self.model, self._stopping)
            if self._stopping():
                return
            infinite = not all(map(math.isfinite, values.values()))
            if total(self.model.distribute_strategy, np.array([infinite], np.int64)).any():
                raise Diverged(self.state.step - 1, self.state.step)
            self.state.validated = self.state.step
            error = self.task.objective(values)
            if error < self.state.best_error:
                self.state.best_error = float(error)
                self.workdir.save_model(BEST, self.model.saved())
        if self.follows_plateaus:
            note_plateau(self.state, error)
        self.curves.validation_point(self.model, values)
        self.model.stop_training = self.state.finished

    def recalibrate(self) -> None:
        """Give normalization the statistics of the weights as they are."""
        self.task.recalibrate(self.model, self.state, self._stopping)

    def _stopping(self) -> bool:
        return self.signals.received is not None and self.model.distribute_strategy.num_replicas_in_sync == 1


class Saves(keras.callbacks.Callback):
    """Keeps checkpoints, and ends the run with one when it is told to stop: all workers after the same step."""

    def __init__(self, state: State, calendar: Calendar, workdir: Workdir, signals: StopSignals):
        super().__init__()
        self.state, self.calendar, self.workdir, self.signals = state, calendar, workdir, signals
        self.clock = time.perf_counter()
        self.running: dict = {}  # of the metrics in the middle of a window

    def on_epoch_begin(self, epoch, logs=None):
        if self.running:  # after fit has reset the metrics
            self.workdir.restore_metrics(self.model, self.running)
            self.running = {}

    def on_train_batch_begin(self, batch, logs=None):
        if self.signals.received is not None:
            self.model.stop_request.assign(1.0)

    def on_train_batch_end(self, batch, logs=None):
        stop = self._stop_status()
        if stop or self.calendar.saves(self.state.step):
            self.save()
        if stop:
            raise Stopped(stop)

    def save(self) -> None:
        """Keep a checkpoint of this step."""
        check_finite(self.model, self.state)
        now = time.perf_counter()
        self.state.seconds += now - self.clock
        self.clock = now
        self.model.sync_batch_norm_statistics()
        self.workdir.save_checkpoint(self.model, self.state)

    def _stop_status(self) -> int | None:
        if self.model.distribute_strategy.num_replicas_in_sync == 1:
            return self.signals.received
        if self.calendar.counts_votes(self.state.step) and self.model.local(self.model.stop_votes) > 0:
            return self.signals.received or signal.SIGTERM
        return None
