"""Training a classifier: the task of a run, and its reports."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet import plots
from keras_resnet.data import Shard
from keras_resnet.evaluation import classifier_of, recalibrate_batch_norm
from keras_resnet.evaluation.class_report import report_of
from keras_resnet.evaluation.class_words import in_words
from keras_resnet.evaluation.recalibration import recalibration_batches
from keras_resnet.models import build
from keras_resnet.network import Network
from keras_resnet.training.display import tensorboard
from keras_resnet.training.files.workdir import MISTAKES, Workdir
from keras_resnet.training.final_answers import FinalAnswers, answer_all, explained
from keras_resnet.training.settings import Settings
from keras_resnet.training.state import State
from keras_resnet.training.stepping.optimizer import SGD, Rates
from keras_resnet.training.stepping.schedules import starts_low
from keras_resnet.training.stepping.training_model import (
    TrainingModel,
    binary_cross_entropy,
    cross_entropy,
    synchronize_batch_norm,
)
from keras_resnet.training.strategy import distribute
from keras_resnet.training.task import Metrics, Part, Validate, never
from keras_resnet.training.workers import gathered, is_chief, together
from keras_resnet.weights.preprocessing import Preprocessing


@dataclass(frozen=True)
class Classification:
    """The task of training a classifier, a :class:`~keras_resnet.training.task.Task`.

    Fields:
        settings: the resolved settings of the run.
        classes: class names.
        train, validation, test: parts of a data set; the last two may be None. Without ``validation`` no best network
            is chosen, and the run ends with its last one.
        preprocessing: the preprocessing of the network's inputs.
        train_batches: from (start step, shard) to an endless data set of (images, labels).
        test_batches: from (part, shard) to one pass over (images, labels).
        reference_batch: the batch size that ``settings.base_lr`` is meant for.
        milestones: where the rate falls under the schedule ``"steps"``, as fractions of the whole length.
        warm_up_epochs: epochs over which the rate rises linearly, at most a tenth of the run.
        averaged: keep a moving average of the weights, and evaluate and save it.
        network: a function that builds the network; None builds the model of the settings.
        rates: learning rates of the stages, as :class:`SGD` takes them.
        warm_up: start at a tenth of the rate (Sec. 4.2); None: only CIFAR networks with shortcuts from depth 110 on.
        class_weights: factors of the training losses of each class, float32 ``[classes]``; None for 1.
        binary: train with a binary cross-entropy for each class instead of one over all.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", "error", "top5_error")

    settings: Settings
    classes: tuple[str, ...]
    train: Part
    validation: Part | None
    test: Part | None
    preprocessing: Preprocessing
    train_batches: Callable[[int, Shard], tf.data.Dataset]
    test_batches: Callable[[Any, Shard], tf.data.Dataset]
    reference_batch: int
    milestones: tuple[float, ...]
    warm_up_epochs: float = 0.0
    averaged: bool = False
    network: Callable[[], Network] | None = None
    rates: Rates | None = None
    warm_up: bool | None = None
    class_weights: np.ndarray | None = None
    binary: bool = False

    @property
    def reporter(self) -> ClassificationReporter:
        """Reports on the training."""
        return ClassificationReporter(self)

    def build_model(self, strategy: tf.distribute.Strategy, total_steps: int) -> TrainingModel:
        """The compiled model; to be called in the scope of the strategy."""
        averaging: dict[str, Any] = (
            {"use_ema": True, "ema_momentum": ema_momentum(total_steps)} if self.averaged else {}
        )
        network = self.network() if self.network else self._new_network()
        network.preprocessing = self.preprocessing
        network.class_names = tuple(self.classes)
        if self.settings.sync_bn and strategy.num_replicas_in_sync > 1:
            synchronize_batch_norm(network)
        if self.binary:  # every class begins at the probability that it has under a softmax of equal logits
            bias = classifier_of(network).bias
            bias.assign(np.full(bias.shape, -math.log(max(1, len(self.classes) - 1)), np.float32))
        loss = binary_cross_entropy if self.binary else cross_entropy
        model, settings = TrainingModel(network, self.class_weights, loss), self.settings
        optimizer = SGD(settings.base_lr, l2=settings.weight_decay, rates=self.rates, **averaging)
        model.compile(optimizer, settings.accumulate, timed=not settings.deterministic)
        return model

    def _new_network(self) -> Network:
        size = self.settings.image_size
        return build(self.settings.spec(), input_shape=(size, size, 3), classes=len(self.classes))

    def epoch_steps(self) -> int:
        """Steps from one validation to the next: an epoch.

        In a run whose length is given in steps, an epoch has at least as many images as a validation.
        """
        images = max(len(self.train), len(self.validation or ()) if self.settings.steps else 0)
        return max(1, round(images / self.settings.batch_size))

    def needs_warm_up(self, model: TrainingModel) -> bool:
        """Whether the network starts at a tenth of the rate (Sec. 4.2)."""
        spec = model.network.spec
        if self.warm_up is not None:
            return self.warm_up
        return starts_low(spec)

    def validator(self, strategy: tf.distribute.Strategy) -> Validate[TrainingModel]:
        """A function from (model, whether to stop) to loss and errors, which are valid only if it was not stopped."""
        part = self.validation
        assert part is not None
        batches = distribute(strategy, lambda shard: self.test_batches(part, shard))

        def validate(model: TrainingModel, stopping: Callable[[], bool]) -> Metrics:
            def stop_if_requested(batch, logs):
                model.stop_evaluating = stopping()

            stop = keras.callbacks.LambdaCallback(on_test_batch_end=stop_if_requested)
            model.mistakes.reset()
            values = model.evaluate(batches, verbose=0, return_dict=True, callbacks=[stop])
            model.reset_metrics()
            return values

        return validate

    def objective(self, metrics: Metrics) -> float:
        """The error in percent, which training should lower."""
        return metrics["error"]

    def recalibrate(self, model: TrainingModel, state: State, stopping: Callable[[], bool] = never) -> None:
        """Give normalization the statistics of the current weights, computed on the next training images.

        It uses no more images than there are, or than were trained on, and ends early when ``stopping()`` is true.
        """
        strategy, batch_size = model.distribute_strategy, self.settings.batch_size
        batches = recalibration_batches(len(self.train), batch_size, state.step)
        start = state.step + state.skipped
        images = distribute(strategy, lambda shard: self.train_batches(start, shard).take(batches))
        recalibrate_batch_norm(model.network, itertools.takewhile(lambda _: not stopping(), images), strategy)

    def evaluate(self, model: TrainingModel, state: State) -> dict[str, Any]:
        """Errors on the validation and test parts, and the answers by class, from one pass of the chief over each."""
        strategy, names = model.distribute_strategy, [metric.name for metric in model.train_metrics[1:]]
        result: dict[str, Any] = {}
        parts = {"val": self.validation, "test": self.test}
        model.final = together(strategy, lambda: self._final_answers(model, parts) if is_chief(strategy) else {})
        for key, part in parts.items():
            errors: dict[str, float] = {}
            if part:
                rows = [[model.final[key].errors[name] for name in names]] if is_chief(strategy) else []
                values = gathered(strategy, np.reshape(np.array(rows), (-1, len(names))))
                errors = dict(zip(names, values[0].tolist(), strict=True))
            result[f"{key}_error"] = errors.get("error")
            if "top5_error" in errors:
                result[f"{key}_top5_error"] = errors["top5_error"]
            result[f"{key}_examples"] = len(part) if part else None
            result[f"{key}_split"] = part.name if part else None
        result |= {f"{key}_by_class": answers.report.as_json() for key, answers in model.final.items()}
        return result | {"best_val_error": state.best_error if self.validation else None}

    def _final_answers(self, model: TrainingModel, parts: dict[str, Any]) -> dict[str, FinalAnswers]:
        """The answers for each part; the temperature is fitted on the first one, validation if there is one."""
        answers: dict[str, FinalAnswers] = {}
        first = None
        for key, part in parts.items():
            if part:
                errors, scores, mistakes = answer_all(model, self.test_batches(part, Shard()))
                first = first or scores
                answers[key] = FinalAnswers(errors, report_of(scores, self.classes, part, first), mistakes)
        return answers


@dataclass(frozen=True)
class ClassificationReporter:
    """Reports on the training of a classifier, a :class:`~keras_resnet.training.task.Reporter`."""

    task: Classification

    def begin(self, model: TrainingModel, state: State) -> None:
        """Write the graph and the first augmented inputs for TensorBoard."""
        tensorboard.graph(model)
        batch = next(iter(self.task.train_batches(state.step + state.skipped, Shard()).take(1)))
        tensorboard.inputs(model, batch, self.task.classes, state.step)

    def validation_summary(self, metrics: Metrics) -> str:
        """The validation error in percent."""
        return f"val_error {metrics['error']:.2f} %"

    def validation_images(self, model: TrainingModel, step: int) -> None:
        """Write the worst mistakes of the last validation for TensorBoard."""
        tensorboard.mistakes(model, self.task.classes, step)

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The errors in words, one line each."""
        lines = [
            f"{name} error {result[f'{key}_error']:.2f} % ({result[f'{key}_examples']:,} images: "
            f"{result[f'{key}_split']})"
            for key, name in (("val", "validation"), ("test", "test"))
            if result[f"{key}_error"] is not None
        ]
        if self.task.validation:
            lines[0] += f", of best.keras {result['best_val_error']:.2f} %"
        first = next((key for key in ("val_by_class", "test_by_class") if key in result), None)
        return lines + (in_words(result[first]) if first else [])

    def end(self, model: TrainingModel, step: int, workdir: Workdir) -> None:
        """Write the answers by class and the worst mistakes into the run's folder, for validation or else test data."""
        for answers in list(model.final.values())[:1]:
            grid = explained(model.network, answers.mistakes, self.task.classes)
            writers = answers.report.writers()
            writers[MISTAKES] = lambda path, grid=grid: Image.fromarray(grid).save(path, format="PNG")
            for name, write in writers.items():
                workdir.write(name, write)
                if name.endswith(".png"):
                    picture = np.asarray(Image.open(workdir.path / name).convert("RGB"))
                    tf.summary.image(f"at the end/{name.removesuffix('.png')}", picture[None], step)

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw the error curves, as in Fig. 6, into a PNG file."""
        plots.error_curves({name: rows}, path)


def ema_momentum(total_steps: int) -> float:
    """Momentum of the moving average of the weights: over about a fiftieth of the run, at most 10,000 steps."""
    return 1 - 1 / min(10_000, max(10, total_steps / 50))
