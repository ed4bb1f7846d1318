"""What happens around the steps of ``fit``: learning rate, divergence, validation, checkpoints and stopping.

The callbacks run in the order of this file and share the run's state; ``Calendar`` says what happens after which step.
"""

import math
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_resnet.training.context import RunContext
from keras_resnet.training.display.error_curves import Curves
from keras_resnet.training.files.workdir import BEST
from keras_resnet.training.final_weights import finalized
from keras_resnet.training.signals import Stopped, StopSignals
from keras_resnet.training.state import State
from keras_resnet.training.stepping.schedules import WARM_UP_ERROR, WARM_UP_FACTOR, update_plateau
from keras_resnet.training.stepping.step import Step
from keras_resnet.training.workers import total

MAX_SKIPS = 50  # consecutive updates that loss scaling may skip
Logs = dict[str, Any]


class Diverged(Exception):
    """A loss or gradient was not finite.

    Attributes:
        step: the first such step, or the last of too many that loss scaling skipped.
        detected_at: the step at which this was noticed; the batches up to there are left out.
    """

    def __init__(self, step: int, detected_at: int):
        super().__init__(step)
        self.step, self.detected_at = step, detected_at


def rate_of(schedule: Callable[[int, int], float], state: State) -> float:
    """The rate of the step after ``state``; in a warm-up (Sec. 4.2) a tenth of what ``schedule`` says."""
    return schedule(state.step, state.drops) * (WARM_UP_FACTOR if state.warm_up_end is None else 1)


class LearningRate(keras.callbacks.Callback):
    """Sets the rate of each step, see :func:`rate_of`; a warm-up ends when the training error is below 80 %."""

    def __init__(self, schedule: Callable[[int, int], float], state: State):
        super().__init__()
        self.schedule, self.state = schedule, state
        self.current: float | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.current = None  # a checkpoint restores the rate of its own last step

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        rate = rate_of(self.schedule, self.state)
        if rate != self.current:
            self.current = rate
            self.model.optimizer.learning_rate = rate

    def end_window(self, error: float) -> None:
        """End the warm-up if ``error``, the training error over the last window of steps, is low enough."""
        if self.state.warm_up_end is None and error < WARM_UP_ERROR:
            self.state.warm_up_end = self.state.step


class Windows(keras.callbacks.Callback):
    """Counts the steps; at the end of each window checks that all was finite and writes a point of the curves."""

    def __init__(self, context: RunContext, curves: Curves, rate: LearningRate):
        super().__init__()
        self.state, self.calendar, self.curves, self.rate = context.state, context.calendar, curves, rate

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.curves.start_window()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.state.step += 1
        step = self.state.step
        if batch == 0 and not self.calendar.ends_window(step):  # the first step includes the set-up
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
    """At the end of each window, ends the run if too many photos could not be read."""

    def __init__(self, context: RunContext):
        super().__init__()
        self.context = context

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.context.calendar.ends_window(self.context.state.step):
            check_photos(self.context)


def check_photos(context: RunContext) -> None:
    """Raise :class:`InputError`, on all workers, if one of them could not read too many photos of a part."""
    parts = [getattr(context.task, name, None) for name in ("train", "validation", "test")]  # only some tasks test
    readers = [part.reader for part in parts if part is not None and part.reader is not None]

    def check():
        for reader in readers:
            reader.check()

    if readers:
        context.workdir.together(check)


def check_finite(model: Step, state: State) -> None:
    """Raise :class:`Diverged` if a step since the last checkpoint was not finite."""
    bad, skips = (int(model.local(v)) for v in (model.bad_step, model.skips))
    if bad >= 0 or skips >= MAX_SKIPS:
        raise Diverged(bad if bad >= 0 else state.step - 1, state.step)


class Validation(keras.callbacks.Callback):
    """At the end of each epoch, evaluates the network that the run would end with now, and saves the best one.

    Attributes:
        final: the variables of the network that was evaluated last, once nothing is left to train; None before.
    """

    def __init__(self, context: RunContext, curves: Curves, signals: StopSignals):
        super().__init__()
        self.context = context
        self.final: list[np.ndarray] | None = None
        self.state, self.calendar, self.workdir = context.state, context.calendar, context.workdir
        self.task, self.curves, self.signals = context.task, curves, signals
        self.follows_plateaus = context.settings.schedule == "plateau"
        self.patience = context.patience
        self.evaluate = self.task.validator(context.strategy) if self.task.validation is not None else None

    def catch_up(self) -> bool:
        """Validate if the run was stopped in a validation, or before it; return whether it was."""
        late = self.state.validated != self.state.step > 0 and self.calendar.ends_epoch(self.state.step)
        if late:
            self.validate()
        if self.signals.received is not None and self._stopping():  # several workers vote in their next step
            raise Stopped(self.signals.received)
        return late

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.calendar.ends_epoch(self.state.step):
            self.validate()

    def validate(self) -> None:
        """Evaluate once after each epoch. A signal cuts this short; the continued run then repeats it."""
        if self.state.validated == self.state.step:
            return
        if self.evaluate is None:  # no images are held out
            self.state.validated = self.state.step
            self.curves.end_epoch()
            return
        with finalized(self.model, self.recalibrate):
            values = self.evaluate(self.model, self._stopping)
            if self._stopping():
                return
            check_photos(self.context)
            infinite = not all(map(math.isfinite, values.values()))
            seen = np.array([infinite, self._best_is_gone()], np.int64)
            infinite, gone = total(self.model.distribute_strategy, seen).astype(bool)
            if infinite:
                raise Diverged(self.state.step - 1, self.state.step)
            if gone and self.workdir.chief:
                place = f"{self.workdir.path / BEST} is gone: the network of step {self.state.step} takes its place"
                print(place, file=sys.stderr, flush=True)
            self.state.validated = self.state.step
            error = self.task.objective(values)
            if error < self.state.best_error or gone:
                self.state.best_error, self.state.best_step = float(error), self.state.step
                self.workdir.save_model(BEST, self.model.saved())
            if self.follows_plateaus:
                update_plateau(self.state, error)
            waited = self.calendar.epochs_since(self.state.best_step, self.state.step)
            if self.patience is not None and waited >= self.patience:
                self.state.finished = True
            if self.context.finished and self.patience is None:  # with patience a run ends with the best network
                self.final = [variable.numpy() for variable in self.model.variables]
        self.curves.validation_point(self.model, values)
        self.model.stop_training = self.state.finished

    def _best_is_gone(self) -> bool:
        """Whether the file of the best network was removed, which the chief alone sees."""
        return self.workdir.chief and self.state.best_step > 0 and not (self.workdir.path / BEST).exists()

    def recalibrate(self) -> None:
        """Give normalization the statistics of the current weights."""
        self.task.recalibrate(self.model, self.state, self._stopping)

    def _stopping(self) -> bool:
        return self.signals.received is not None and self.model.distribute_strategy.num_replicas_in_sync == 1


class Saves(keras.callbacks.Callback):
    """Saves checkpoints; after a signal it saves one and ends the run, on all workers after the same step.

    Attributes:
        metric_values: values of the metrics in the middle of a window, to restore once ``fit`` has reset them.
    """

    def __init__(self, context: RunContext, signals: StopSignals, metric_values: dict[str, np.ndarray]):
        super().__init__()
        self.state, self.calendar, self.workdir = context.state, context.calendar, context.workdir
        self.signals, self.metric_values = signals, metric_values
        self.clock = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.metric_values:
            self.workdir.restore_metrics(self.model, self.metric_values)
            self.metric_values = {}

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self.signals.received is not None:
            self.model.stop_request.assign(1.0)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        stop = self._stop_status()
        if stop or self.calendar.saves(self.state.step):
            self.save()
        if stop:
            raise Stopped(stop)

    def save(self) -> None:
        """Save a checkpoint of this step."""
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
