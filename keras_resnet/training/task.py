"""What a run needs of what it trains, written down: a run knows steps, a task knows what they are for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_resnet.data import Shard
    from keras_resnet.data.reading import Reader
    from keras_resnet.training.files.workdir import Workdir
    from keras_resnet.training.state import State
    from keras_resnet.training.stepping.step import Step

Metrics = dict[str, float]
Model = TypeVar("Model", bound="Step")
Shown = TypeVar("Shown", bound="Step", contravariant=True)
Validate = Callable[[Model, Callable[[], bool]], Metrics]
"""From the model and a function that tells whether to stop to the metrics; they count only if it did not stop."""


def never() -> bool:
    """That a run is not to stop."""
    return False


class Part(Protocol):
    """A part of a data set."""

    @property
    def name(self) -> str: ...

    @property
    def reader(self) -> Reader | None:
        """What reads its photos, and counts those that are lost; None of arrays in memory."""
        ...

    def __len__(self) -> int: ...


class Task(Protocol[Model]):
    """What is trained, on what, and how it is judged; the settings reach it when it is made.

    :class:`~keras_resnet.training.Classification` and :class:`~keras_resnet.detection.DetectionTask` are tasks.

    Attributes:
        metric_names: of the values of its curves, the columns of ``metrics.csv``.
        train: the training part.
        validation: the part that tells which weights are best; None where nothing is held out.
        reference_batch: the batch size that the settings' ``base_lr`` is meant for.
        milestones: where the rate falls under the schedule ``"steps"``, as fractions of the whole length.
        warm_up_epochs: epochs over which the rate rises linearly, at most a tenth of the run.
        reporter: shows what comes of it.
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
        """A worker's share of endless batches, from ``start_step`` on: a function of the step, so that runs go on."""
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
        """What validation is to bring down, in percent."""
        ...

    def recalibrate(self, model: Model, state: State, stopping: Callable[[], bool] = never) -> None:
        """Give normalization the statistics of the weights as they are; it ends early when ``stopping``."""
        ...

    def evaluate(self, model: Model, state: State) -> dict[str, Any]:
        """What ``result.json`` says of the trained model."""
        ...


class Reporter(Protocol[Shown]):
    """Shows what comes of a task: on the terminal, for TensorBoard, and as a picture; the chief alone calls it."""

    def begin(self, model: Shown, state: State) -> None:
        """Write for TensorBoard what is trained and what it is fed with."""
        ...

    def validation_summary(self, metrics: Metrics) -> str:
        """A validation in a few words."""
        ...

    def validation_images(self, model: Shown, step: int) -> None:
        """Write for TensorBoard what the last validation looked at."""
        ...

    def end(self, model: Shown, step: int, workdir: Workdir) -> None:
        """Show what the trained model gives, as files of the run's folder and for TensorBoard."""
        ...

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The result in words, a line each."""
        ...

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw the rows of ``metrics.csv`` into a PNG file."""
        ...
