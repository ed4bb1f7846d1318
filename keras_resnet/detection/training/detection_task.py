"""The task of a run that trains a detector."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.boxes import Detections, iou
from keras_resnet.detection.data.batches import detection_batches
from keras_resnet.detection.data.photo_files import content_hashes
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector import Detector
from keras_resnet.detection.detector_specs import Proposals, RegionHead, TrainingView
from keras_resnet.detection.faster_rcnn import LEARNABLE, LOSSES, FasterRCNN, Learnable
from keras_resnet.detection.scoring.benchmarks import Benchmark
from keras_resnet.detection.scoring.detection_report import DetectionReport
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.detection.training.finished_detector import KEPT_CLASSES, before_and_after, matched
from keras_resnet.detection.training.photo_reading import missed, read_share
from keras_resnet.detection.training.protocols import Protocol
from keras_resnet.detection.training.reporter import MONITORED, PICTURES, DetectionReporter, draw_detections
from keras_resnet.training.state import State
from keras_resnet.training.stepping.optimizer import SGD
from keras_resnet.training.task import Metrics, Validate, never
from keras_resnet.training.workers import gathered, together, total, worker_count, worker_index
from keras_resnet.weights.preprocessing import Preprocessing

VALIDATIONS = 10
RECALL_OVERLAP = 0.5  # at which a proposal counts as finding an object


@dataclass(frozen=True)
class DetectionTask:
    """The task of training a detector; a :class:`~keras_resnet.training.task.Task`.

    Fields:
        train: the training photos.
        validation: the photos on which the best weights are chosen; None for none, and no ``best.keras``.
        benchmark: by which the detector is scored.
        settings: the run's.
        backbone: makes the backbone.
        preprocessing: of the backbone's images.
        protocol: the learning rates' batch size and milestones, and the weight decay.
        learn: the parts that learn.
        start: gives the new detector the weights of an earlier one.
        proposals: another detector that makes the proposals.
        kept: the finished detector, parts of which the new one keeps; the AP of its classes is compared.
        pictures: the first photos of the last validation, with their detections.
        reports: the results by class of the detector that was scored last.
        warned: what was said after the first validation about proposals that reach too few objects.
    """

    warm_up_epochs: ClassVar[float] = 0.0  # the backbone is trained already

    train: DetectionData
    validation: DetectionData | None
    benchmark: Benchmark
    settings: DetectionSettings
    backbone: Callable[[], Backbone]
    preprocessing: Preprocessing
    protocol: Protocol
    learn: Sequence[Learnable] = LEARNABLE
    start: Callable[[FasterRCNN], None] | None = None
    proposals: FasterRCNN | None = None
    kept: FasterRCNN | None = None
    pictures: list[np.ndarray] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    reports: list[DetectionReport] = field(default_factory=list)

    @property
    def reporter(self) -> DetectionReporter:
        """Shows how the detector trains."""
        return DetectionReporter(self)

    @property
    def reference_batch(self) -> int:
        """The batch size for which the settings' learning rate is meant."""
        return self.protocol.reference_batch

    @property
    def milestones(self) -> tuple[float, ...]:
        """Where the learning rate falls, as fractions of the whole length."""
        return self.protocol.milestones

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Names of the values in the run's curves."""
        return ("loss", *LOSSES, *self.benchmark.columns, "proposal_recall")

    @property
    def goal(self) -> str:
        """The score by which detectors are compared: the benchmark's first, or recall if only proposals learn."""
        return self.benchmark.columns[0] if "regions" in self.learn else "proposal_recall"

    def build_model(self, strategy: tf.distribute.Strategy, total_steps: int) -> FasterRCNN:
        """The compiled detector, in the strategy's scope."""
        settings = self.settings
        model = FasterRCNN(
            self.backbone(),
            self.train.classes,
            Proposals(settings.anchor_scales, settings.anchor_ratios, settings.smallest),
            RegionHead(settings.pooling, settings.context, settings.regions),
            settings.image_size,
            self.learn,
        )
        model.trained_on = content_hashes(self.train)
        if self.start:
            self.start(model)
        if self.proposals is not None:
            model.take_proposals_from(self.proposals)
        optimizer = SGD(settings.base_lr, l2=self.protocol.decay)
        model.compile(optimizer, settings.accumulate, timed=not settings.deterministic)
        return model

    def train_batches(self, start_step: int, shard: Shard) -> tf.data.Dataset:
        """A worker's share of endless training batches from ``start_step`` on."""
        s = self.settings
        view = TrainingView(s.shorter_side, s.longer_side, s.augment)
        return detection_batches(self.train, self.preprocessing, s.batch_size, view, s.seed, start_step, shard)

    def epoch_steps(self) -> int:
        """Steps between validations: an epoch, and at least a tenth of a run whose length is given in steps."""
        epoch = max(1, round(len(self.train) / self.settings.batch_size))
        return max(epoch, (self.settings.steps or 0) // VALIDATIONS)

    def needs_warm_up(self, model: FasterRCNN) -> bool:
        """False: the backbone is trained already."""
        return False

    def validator(self, strategy: tf.distribute.Strategy) -> Validate[FasterRCNN]:
        """A function of the model, and of one that tells whether to stop, that returns scores; none if it stopped."""
        assert self.validation is not None
        part = self.validation.first(MONITORED)

        def validate(model: FasterRCNN, stopping: Callable[[], bool]) -> Metrics:
            self.pictures.clear()
            return self.score(Detector([model]), part, strategy, stopping)

        return validate

    def score(
        self,
        detector: Detector,
        data: DetectionData,
        strategy: tf.distribute.Strategy,
        stopping: Callable[[], bool] = never,
    ) -> Metrics:
        """The benchmark's scores, and the proposals' recall, on ``data``; empty if it was stopped.

        All workers must call it. Each detects in its share of the photos, and all return the scores of all photos.
        """
        detected = self.detect_all(detector, data, strategy, stopping)
        return {} if detected is None else self._scored(detector, data, *detected)

    def _scored(
        self, detector: Detector, data: DetectionData, detections: dict[Any, Detections], recall: float
    ) -> Metrics:
        """The scores of these detections; their thresholds become those of the detector, and are saved with it."""
        if "regions" in self.learn:
            self.reports[:] = [DetectionReport(data, detections)]
            for member in detector.members:
                member.model.thresholds = self.reports[0].thresholds
        return {**self.benchmark.score(data, detections), "proposal_recall": recall}

    def detect_all(
        self,
        detector: Detector,
        data: DetectionData,
        strategy: tf.distribute.Strategy,
        stopping: Callable[[], bool] = never,
    ) -> tuple[dict[Any, Detections], float] | None:
        """The detections by photo id and the share of the objects that proposals reach; None if it was stopped."""
        shard = Shard(worker_index(strategy), worker_count(strategy))
        rows, counts = together(strategy, lambda: self._detect(detector, data, shard, stopping))
        if stopping():
            return None
        rows = gathered(strategy, rows)
        rows = rows[np.argsort(rows[:, 0], kind="stable")]  # in the order of the photos, as one worker has them
        parts = np.split(rows, np.searchsorted(rows[:, 0], np.arange(1, len(data))))
        detections = {
            photo.id: Detections(part[:, 3:], part[:, 1], part[:, 2])
            for photo, part in zip(data.photos, parts, strict=True)
        }
        recalled, objects = total(strategy, counts)
        return detections, float(recalled / objects) if objects else 0.0

    def _detect(
        self, detector: Detector, data: DetectionData, shard: Shard, stopping: Callable[[], bool]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Detections in a share of the photos, and numbers of objects, those with a proposal and all.

        The objects of a photo that cannot be read count as missed.

        Returns:
            Rows of position, class, score and box, float64 ``[detections, 7]``; and int64 ``[2]``.
        """
        rows, counts = [np.zeros((0, 7))], np.zeros(2, np.int64)
        for position, image in read_share(data, shard, functools.partial(missed, data)):
            if stopping():
                break
            photo = data.photos[position]
            objects = photo.objects.boxes[~photo.objects.ignored]
            counts[1] += len(objects)
            if image is None:
                continue
            detections, proposals = detector.detect_with_proposals(image, photo.file)
            places = np.full(len(detections.boxes), position)
            rows.append(np.column_stack([places, detections.classes, detections.scores, detections.boxes]))
            counts[0] += (iou(objects, proposals) >= RECALL_OVERLAP).any(axis=1).sum()
            if len(self.pictures) < PICTURES:
                self.pictures.append(draw_detections(image, detections, detector.classes))
        return np.concatenate(rows), counts

    def recalibrate(self, model: FasterRCNN, state: State, stopping: Callable[[], bool] = never) -> None:
        """Nothing: a detector's normalization is fixed."""

    def objective(self, metrics: Metrics) -> float:
        """What the goal lacks of 100 percent."""
        return 100 * (1 - metrics[self.goal])

    def evaluate(self, model: FasterRCNN, state: State) -> dict[str, Any]:
        """The scores on all validation photos, as ``result.json`` has them."""
        if self.validation is None:
            return {"val_examples": None, "val_split": None}
        strategy, detector = model.distribute_strategy, Detector([model])
        detected = self.detect_all(detector, self.validation, strategy)
        assert detected is not None  # nothing stops it
        scores = self._scored(detector, self.validation, *detected)
        result: dict[str, Any] = {f"val_{name}": value for name, value in scores.items()}
        result |= {"val_examples": len(self.validation), "val_split": self.validation.name}
        if "regions" in self.learn:
            result["val_by_class"] = self.reports[0].as_json()
        if self.kept is not None:
            earlier = self.detect_all(Detector([self.kept]), self.validation, strategy)
            assert earlier is not None
            classes = matched(self.validation.classes, self.kept.class_names)
            result[KEPT_CLASSES] = before_and_after(self.validation, classes, earlier[0], detected[0])
        return result
