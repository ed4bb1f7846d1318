"""The interface between a run and what it trains: a run knows steps, a task knows what they are for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_resnet.data import Shard
    from keras_resnet.data.reading import Reader
    from keras_resnet.training.state import State
    from keras_resnet.training.stepping.step import Step

Metrics = dict[str, float]
Model = TypeVar("Model", bound="Step")
ReportedModel = TypeVar("ReportedModel", bound="Step", contravariant=True)
Validate = Callable[[Model, Callable[[], bool]], Metrics]
"""From the model and a function that says whether to stop, to the metrics; they are valid only if it did not stop."""


def never() -> bool:
    """Say that a run should not stop."""
    return False


class Part(Protocol):
    """A part of a data set."""

    @property
    def name(self) -> str: ...

    @property
    def reader(self) -> Reader | None:
        """Reads the photos and counts those that are lost; None for arrays in memory."""
        ...

    def __len__(self) -> int: ...


class Task(Protocol[Model]):
    """What is trained, on which data, and how it is evaluated. The settings are given to its constructor.

    :class:`~keras_resnet.training.Classification` and :class:`~keras_resnet.detection.DetectionTask` are tasks.

    Attributes:
        metric_names: names of its metrics, which are columns of ``metrics.csv``.
        train: the training part.
        validation: the part that decides which weights are best; None if nothing is held out.
        reference_batch: the batch size that the settings' ``base_lr`` is meant for.
        milestones: where the rate falls under the schedule ``"steps"``, as fractions of the whole length.
        warm_up_epochs: epochs over which the rate rises linearly, at most a tenth of the run.
        reporter: reports on the training.
    """

    @property
    def metric_names(self) -> tuple[str, ...]: ...

    @property
    def train(self) -> Part: ...

    @property
    def validation(self) -> Part | None: ...

    @property
    def reference_batch(self) -> int: ...

    @property
    def milestones(self) -> tuple[float, ...]: ...

    @property
    def warm_up_epochs(self) -> float: ...

    @property
    def reporter(self) -> Reporter[Model]: ...

    def build_model(self, strategy: tf.distribute.Strategy, total_steps: int) -> Model:
        """The compiled model of a run of ``total_steps``; called in the strategy's scope."""
        ...

    def train_batches(self, start_step: int, shard: Shard) -> tf.data.Dataset:
        """A worker's share of endless batches, a function of ``start_step`` alone so that runs can continue."""
        ...

    def epoch_steps(self) -> int:
        """Steps from one validation to the next."""
        ...

    def needs_warm_up(self, model: Model) -> bool:
        """Whether training starts at a tenth of the rate, until the error is below 80 % (Sec. 4.2)."""
        ...

    def validator(self, strategy: tf.distribute.Strategy) -> Validate[Model]:
        """A function that evaluates the model on the validation part; all workers call it together."""
        ...

    def objective(self, metrics: Metrics) -> float:
        """The number, in percent, that training should lower in validation."""
        ...

    def recalibrate(self, model: Model, state: State, stopping: Callable[[], bool] = never) -> None:
        """Give normalization the statistics of the current weights; ends early when ``stopping()`` is true."""
        ...

    def evaluate(self, model: Model, state: State) -> dict[str, Any]:
        """Results of the trained model for ``result.json``."""
        ...


class Reporter(Protocol[ReportedModel]):
    """Reports on a task: on the terminal, in TensorBoard and as a figure. Only the chief calls it."""

    def begin(self, model: ReportedModel, state: State) -> None:
        """Write the model and some of its inputs for TensorBoard."""
        ...

    def validation_summary(self, metrics: Metrics) -> str:
        """A validation in a few words."""
        ...

    def validation_images(self, model: ReportedModel, step: int) -> None:
        """Write images of the last validation for TensorBoard."""
        ...

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The result in words, as lines."""
        ...

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw the rows of ``metrics.csv`` into a PNG file."""
        ...
