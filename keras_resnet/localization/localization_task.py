"""Training the per-class RPN, or the R-CNN: the task of a run, and what is shown of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet import drawing, plots
from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.boxes import NO_DETECTIONS
from keras_resnet.detection.data.photo_files import content_hashes
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.training.photo_reading import missed, read_share
from keras_resnet.detection.training.reporter import MONITORED, PICTURES, UNVALIDATED, draw_detections
from keras_resnet.localization.localization_settings import LocalizationSettings
from keras_resnet.localization.localizer import Localizer
from keras_resnet.localization.networks import LOSSES, LocalizationNetwork
from keras_resnet.localization.scoring import mistakes
from keras_resnet.training.files.workdir import Workdir
from keras_resnet.training.state import State
from keras_resnet.training.stepping.optimizer import SGD
from keras_resnet.training.task import Metrics, Validate, never
from keras_resnet.training.workers import gathered, together, worker_count, worker_index

VALIDATIONS = 10
MILESTONES = (0.5, 0.75)  # where the rate falls, as Sec. 4.2's; the appendix does not say
REFERENCE_BATCH = 256


@dataclass(frozen=True)
class LocalizationTask:
    """The task of training one of the two networks, a :class:`~keras_resnet.training.task.Task`.

    Both are judged by the error with the true class, 1-crop.

    Fields:
        settings: the run's.
        train, validation: photos of one class each; without ``validation``, None, there is no ``best.keras``.
        examples: how many the network learns from, crops or regions.
        make: makes the network.
        batches: (start step, shard) to endless training batches, of which the first part are images.
        localizer: from the network to what finds boxes with it.
        pictures: the first pictures of the last validation, with what was found.
        localizers: those of the networks that were scored, by the networks' ids.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", *LOSSES, "error")
    warm_up_epochs: ClassVar[float] = 0.0  # trained networks need none
    milestones: ClassVar[tuple[float, ...]] = MILESTONES
    reference_batch: ClassVar[int] = REFERENCE_BATCH

    settings: LocalizationSettings
    train: DetectionData
    validation: DetectionData | None
    examples: int
    make: Callable[[], LocalizationNetwork]
    batches: Callable[[int, Shard], tf.data.Dataset]
    localizer: Callable[[Any], Localizer]
    pictures: list = field(default_factory=list)
    localizers: dict[int, Localizer] = field(default_factory=dict)

    @property
    def reporter(self) -> LocalizationReporter:
        """Shows what comes of it."""
        return LocalizationReporter(self)

    def build_model(self, strategy: tf.distribute.Strategy, total_steps: int) -> LocalizationNetwork:
        """The compiled network, in the strategy's scope."""
        model, settings = self.make(), self.settings
        model.trained_on = content_hashes(self.train)
        model.compile(SGD(settings.base_lr), settings.accumulate, timed=not settings.deterministic)
        return model

    def train_batches(self, start_step: int, shard: Shard) -> tf.data.Dataset:
        """Endless training batches from ``start_step`` on."""
        return self.batches(start_step, shard)

    def epoch_steps(self) -> int:
        """Steps from one validation to the next: an epoch; a tenth of a run that is given in steps."""
        if self.settings.steps:
            return max(1, self.settings.steps // VALIDATIONS)
        return max(1, round(self.examples / self.settings.batch_size))

    def needs_warm_up(self, model: LocalizationNetwork) -> bool:
        """False: trained networks need no warm-up."""
        return False

    def validator(self, strategy: tf.distribute.Strategy) -> Validate[LocalizationNetwork]:
        """A function of (model, whether to stop) to the error; it counts only if it was not stopped."""
        assert self.validation is not None
        part = self.validation.first(MONITORED)

        def validate(model: LocalizationNetwork, stopping: Callable[[], bool]) -> Metrics:
            self.pictures.clear()
            return self.score(self._localizer(model), part, strategy, stopping)

        return validate

    def _localizer(self, model: LocalizationNetwork) -> Localizer:
        """That of the run's model, whose functions are traced once."""
        if id(model) not in self.localizers:
            self.localizers[id(model)] = self.localizer(model)
        return self.localizers[id(model)]

    def score(
        self,
        localizer: Localizer,
        data: DetectionData,
        strategy: tf.distribute.Strategy,
        stopping: Callable[[], bool] = never,
    ) -> Metrics:
        """The error with the true class on ``data``; each worker looks at its share, and has that of all photos."""
        shard = Shard(worker_index(strategy), worker_count(strategy))
        rows = together(strategy, lambda: self._mistakes(localizer, data, shard, stopping))
        if stopping():
            return {}
        return {"error": 100 * float(np.mean(gathered(strategy, rows)))}

    def _mistakes(self, localizer: Localizer, data: DetectionData, shard: Shard, stopping) -> np.ndarray:
        """Which photos of a share are wrong, float64 ``[photos, 1]``; one that is lost is."""
        wrong = []
        for position, image in read_share(data, shard, functools.partial(missed, data)):
            if stopping():
                break
            photo = data.photos[position]
            answer = NO_DETECTIONS if image is None else localizer(image, photo.objects.classes[:1], photo.file)
            wrong.append(mistakes([photo.objects], [answer]).astype(np.float64))
            if image is not None and len(self.pictures) < PICTURES:
                self.pictures.append(draw_detections(image, answer, data.classes, min_score=0.0))
        return np.concatenate(wrong)[:, None] if wrong else np.zeros((0, 1))

    def recalibrate(self, model: LocalizationNetwork, state: State, stopping: Callable[[], bool] = never) -> None:
        """Nothing: the network's normalization stands still."""

    def objective(self, metrics: Metrics) -> float:
        """The error, in percent."""
        return metrics["error"]

    def evaluate(self, model: LocalizationNetwork, state: State) -> dict[str, Any]:
        """The error on the whole validation part."""
        if self.validation is None:
            return {"val_error": None, "val_examples": None, "val_split": None}
        scores = self.score(self._localizer(model), self.validation, model.distribute_strategy)
        return {"val_error": scores["error"], "val_examples": len(self.validation), "val_split": self.validation.name}


@dataclass(frozen=True)
class LocalizationReporter:
    """Shows what comes of a localization, a :class:`~keras_resnet.training.task.Reporter`."""

    task: LocalizationTask

    def begin(self, model: LocalizationNetwork, state: State) -> None:
        """Write the first augmented inputs for TensorBoard."""
        images, *_ = next(iter(self.task.train_batches(state.step + state.skipped, Shard())))
        shown = model.preprocessing.undo(images[:PICTURES].numpy())
        pictures = list(np.clip(shown, 0, 255).astype(np.uint8))
        tf.summary.image("inputs after augmentation", drawing.tiled(pictures)[None], state.step)

    def validation_summary(self, metrics: Metrics) -> str:
        """The error, and on how many photos."""
        assert self.task.validation is not None
        photos = len(self.task.validation)
        return f"error {metrics['error']:.1f} %  ({min(MONITORED, photos):,} of {photos:,} photos)"

    def validation_images(self, model: LocalizationNetwork, step: int) -> None:
        """Write the first photos of the last validation, with the box found in each, for TensorBoard."""
        tf.summary.image("boxes", drawing.tiled(self.task.pictures)[None], step)

    def end(self, model: LocalizationNetwork, step: int, workdir: Workdir) -> None:
        """Do nothing: the last validation already wrote its photos."""

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The error in words."""
        if self.task.validation is None:
            return [UNVALIDATED]
        return [
            f"validation error with the true class, 1-crop, {result['val_error']:.2f} % "
            f"({result['val_examples']:,} images: {result['val_split']})"
        ]

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw losses and the error into a PNG file."""
        shares = [row | {"error": row["error"] / 100} if "error" in row else row for row in rows]
        plots.detection_curves(shares, LOSSES, ("error",), path)
