"""Training a detector: the task of a run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.boxes import Detections, iou
from keras_resnet.detection.data.batches import detection_batches
from keras_resnet.detection.data.photo_files import contents
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector import Detector
from keras_resnet.detection.faster_rcnn import LEARNED, PARTS, FasterRCNN
from keras_resnet.detection.scoring.benchmarks import Benchmark
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.detection.training.photo_reading import first, missed, pictures_of
from keras_resnet.detection.training.reporter import MONITORED, SHOWN, DetectionReporter, drawn
from keras_resnet.training.state import State
from keras_resnet.training.stepping.optimizer import SGD
from keras_resnet.training.task import Metrics, Validate, never
from keras_resnet.training.workers import count_of, gathered, number_of, together, total
from keras_resnet.weights.preprocessing import Preprocessing

VALIDATIONS = 10
RECALLED = 0.5  # overlap at which a proposal finds an object


@dataclass(frozen=True)
class DetectionTask:
    """The task of training a detector, a :class:`~keras_resnet.training.task.Task`.

    Fields:
        train, validation: the photos; without ``validation``, None, there is no ``best.keras``.
        benchmark: how it is scored.
        settings: the run's.
        backbone: makes the backbone.
        preprocessing: of its images.
        reference_batch: the batch size ``settings.base_lr`` is meant for.
        milestones: where the rate falls, as fractions of the whole length.
        decay: of the weights.
        learn: which parts learn.
        start: gives the new detector the weights of an earlier one.
        proposals: another detector that proposals are taken from.
        photos_shown: the first pictures of the last validation, with what was found.
    """

    warm_up_epochs: ClassVar[float] = 0.0  # trained networks need none

    train: DetectionData
    validation: DetectionData | None
    benchmark: Benchmark
    settings: DetectionSettings
    backbone: Callable[[], Backbone]
    preprocessing: Preprocessing
    reference_batch: int
    milestones: tuple[float, ...]
    decay: float
    learn: tuple[str, ...] = LEARNED
    start: Callable[[FasterRCNN], None] | None = None
    proposals: FasterRCNN | None = None
    photos_shown: list = field(default_factory=list)

    @property
    def reporter(self) -> DetectionReporter:
        """Shows what comes of it."""
        return DetectionReporter(self)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the values of its curves."""
        return ("loss", *PARTS, *self.benchmark.columns, "proposal_recall")

    @property
    def goal(self) -> str:
        """The score that tells a better detector: the benchmark's first, or recall where only proposals learn."""
        return self.benchmark.columns[0] if "regions" in self.learn else "proposal_recall"

    def build_model(self, strategy: tf.distribute.Strategy, total_steps: int) -> FasterRCNN:
        """The compiled detector, in the strategy's scope."""
        settings = self.settings
        model = FasterRCNN(
            self.backbone(),
            self.train.classes,
            scales=settings.anchor_scales,
            ratios=settings.anchor_ratios,
            pooling=settings.pooling,
            context=settings.context,
            regions=settings.regions,
            smallest=settings.smallest,
            shorter=settings.shorter_side,
            longer=settings.longer_side,
            learn=self.learn,
        )
        model.trained_on = contents(self.train)
        if self.start:
            self.start(model)
        if self.proposals is not None:
            model.take_proposals_from(self.proposals)
        model.compile(SGD(settings.base_lr, l2=self.decay), settings.accumulate, timed=not settings.deterministic)
        return model

    def train_batches(self, start_step: int, shard: Shard) -> tf.data.Dataset:
        """Endless training batches from ``start_step`` on."""
        s = self.settings
        return detection_batches(
            self.train, self.preprocessing, s.batch_size, s.shorter_side, s.longer_side, s.seed, start_step, shard
        )

    def epoch_steps(self) -> int:
        """Steps from one validation to the next: an epoch, at least a tenth of a run that is given in steps."""
        epoch = max(1, round(len(self.train) / self.settings.batch_size))
        return max(epoch, (self.settings.steps or 0) // VALIDATIONS)

    def needs_warm_up(self, model: FasterRCNN) -> bool:
        """False: trained networks need no warm-up."""
        return False

    def validator(self, strategy: tf.distribute.Strategy) -> Validate[FasterRCNN]:
        """A function of (model, whether to stop) to scores; they count only if it was not stopped."""
        assert self.validation is not None
        part = first(self.validation, MONITORED)
        detectors: list[Detector] = []  # that of the run's model, which compiles its steps once

        def validate(model: FasterRCNN, stopping: Callable[[], bool]) -> Metrics:
            if not detectors:
                detectors.append(Detector([model]))
            self.photos_shown.clear()
            return self.score(detectors[0], part, strategy, stopping)

        return validate

    def score(
        self,
        detector: Detector,
        data: DetectionData,
        strategy: tf.distribute.Strategy,
        stopping: Callable[[], bool] = never,
    ) -> Metrics:
        """The benchmark's scores and the proposals' recall on ``data``; all workers must call it.

        Each worker looks at its share of the photos, and has the scores of all of them.
        """
        shard = Shard(number_of(strategy), count_of(strategy))
        rows, counts = together(strategy, lambda: self._look(detector, data, shard, stopping))
        if stopping():
            return {}
        rows = gathered(strategy, rows)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]  # photos in the order of the data, as one worker has them
        parts = np.split(rows, np.searchsorted(rows[:, 0], np.arange(1, len(data))))
        found = {p.id: Detections(r[:, 3:], r[:, 1], r[:, 2]) for p, r in zip(data.photos, parts, strict=True)}
        recalled, objects = total(strategy, counts)
        return {**self.benchmark.score(data, found), "proposal_recall": float(recalled / objects) if objects else 0.0}

    def _look(self, detector, data, shard: Shard, stopping) -> tuple[np.ndarray, np.ndarray]:
        """Of a share of the photos what was found, rows of place, class, score and box; objects proposed, and all."""
        rows, counts = [np.zeros((0, 7))], np.zeros(2, np.int64)
        for place, image in pictures_of(data, shard, functools.partial(missed, data)):
            if stopping():
                break
            photo = data.photos[place]
            objects = photo.objects.boxes[~photo.objects.ignored]
            if image is None:
                counts += 0, len(objects)
                continue
            found, proposals = detector.look(image, photo.file)
            rows.append(np.column_stack([np.full(len(found.boxes), place), found.classes, found.scores, found.boxes]))
            if len(objects):
                counts += (iou(objects, proposals) >= RECALLED).any(axis=1).sum(), len(objects)
            if len(self.photos_shown) < SHOWN:
                self.photos_shown.append(drawn(image, found, self.train.classes))
        return np.concatenate(rows), counts

    def recalibrate(self, model: FasterRCNN, state: State, stopping: Callable[[], bool] = never) -> None:
        """Nothing: a detector's normalization stands still."""

    def objective(self, metrics: Metrics) -> float:
        """What the goal lacks of 100 percent."""
        return 100 * (1 - metrics[self.goal])

    def evaluate(self, model: FasterRCNN, state: State) -> dict[str, Any]:
        """The scores of the whole validation part."""
        if self.validation is None:
            return {"val_examples": None, "val_split": None}
        scores = self.score(Detector([model]), self.validation, model.distribute_strategy)
        return {f"val_{name}": value for name, value in scores.items()} | {
            "val_examples": len(self.validation),
            "val_split": self.validation.name,
        }
