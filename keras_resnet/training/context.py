"""What the parts of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_resnet.training.display.tracking import UNTRACKED, Tracking

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_resnet.training.files.workdir import Workdir
    from keras_resnet.training.settings import RunSettings
    from keras_resnet.training.state import Calendar, State
    from keras_resnet.training.task import Task


@dataclass(frozen=True)
class RunContext:
    """What the callbacks and the curves of one run share.

    Fields:
        settings: the resolved settings.
        task: what is trained.
        workdir: the run's folder.
        calendar: what happens after which step.
        state: where the run is; the callbacks update it.
        strategy: the devices that train.
        tracking: gets the rows of the curves; only the chief's has a tracker.
        patience: epochs without a lower validation error that end the run; None for no such end.
    """

    settings: RunSettings
    task: Task
    workdir: Workdir
    calendar: Calendar
    state: State
    strategy: tf.distribute.Strategy
    tracking: Tracking = UNTRACKED
    patience: int | None = None

    @property
    def finished(self) -> bool:
        """Whether neither a step nor a validation is left."""
        state = self.state
        return state.finished or state.step == self.calendar.total_steps == state.validated
