"""Training a detector as a run does it: what is trained, on what, how it is judged, and what is shown."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.pipelines import Shard
from keras_resnet.data.reading import Reader, read_regular
from keras_resnet.data.scan import fetch_from, listed_images
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.batches import detection_batches
from keras_resnet.detection.benchmarks import Benchmark
from keras_resnet.detection.boxes import Detections, iou
from keras_resnet.detection.detector import Detector
from keras_resnet.detection.model import LEARNED, PARTS, FasterRCNN
from keras_resnet.detection.photo_files import contents
from keras_resnet.detection.photos import DetectionData, chosen
from keras_resnet.detection.sampling import PADDING
from keras_resnet.detection.settings import DetectionSettings
from keras_resnet.errors import InputError
from keras_resnet.training.optimizer import SGD
from keras_resnet.training.workers import count_of, gathered, number_of, together, total
from keras_resnet.weights.preprocessing import Preprocessing

MONITORED = 1000  # photos of a validation, at most: ten are 7 % of the time of 80,000 images (docs/detection.md, Speed)
VALIDATIONS = 10
SHOWN = 8
SHOWN_SCORE = 0.5
RECALLED = 0.5  # overlap at which a proposal finds an object


@dataclass(frozen=True)
class DetectionExperiment:
    """What a detection recipe adds to its settings.

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

    warm_up_epochs: ClassVar = 0.0  # trained networks need none

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
    def columns(self) -> tuple[str, ...]:
        """Names of the values of its curves."""
        return ("loss", *PARTS, *self.benchmark.columns, "proposal_recall")

    @property
    def goal(self) -> str:
        """The score that tells a better detector: the benchmark's first, or recall where only proposals learn."""
        return self.benchmark.columns[0] if "regions" in self.learn else "proposal_recall"

    def model(self, settings, strategy, total_steps: int) -> FasterRCNN:
        """The compiled detector, in the strategy's scope."""
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
            accumulate=settings.accumulate,
            timed=not settings.deterministic,
        )
        model.trained_on = contents(self.train)
        if self.start:
            self.start(model)
        if self.proposals is not None:
            model.take_proposals_from(self.proposals)
        model.compile(SGD(settings.base_lr, l2=self.decay))
        return model

    def train_batches(self, start_step: int, shard):
        """Endless training batches from ``start_step`` on."""
        s = self.settings
        return detection_batches(
            self.train, self.preprocessing, s.batch_size, s.shorter_side, s.longer_side, s.seed, start_step, shard
        )

    def epoch_steps(self, settings) -> int:
        """Steps from one validation to the next: an epoch, at least a tenth of a run that is given in steps."""
        epoch = max(1, round(len(self.train) / settings.batch_size))
        return max(epoch, (settings.steps or 0) // VALIDATIONS)

    def starts_slowly(self, model) -> bool:
        """False: trained networks need no warm-up."""
        return False

    def describe(self, model, state) -> None:
        """Write what was taken from the classifier, and the first augmented inputs with their objects."""
        print(model.transfer, flush=True)
        tf.summary.text("transfer", model.transfer, 0)
        batches = self.train_batches(state.step + state.skipped, Shard())
        images, extents, boxes, kinds, classes, _ = (part.numpy()[:SHOWN] for part in next(iter(batches)))
        pictures = []
        for image, extent, own, kind, number in zip(images, extents, boxes, kinds, classes, strict=True):
            width, height = extent.astype(int)
            real = kind != PADDING
            names = [self.train.classes[n] for n in number[real]]
            photo = np.clip(model.preprocessing.undo(image[:height, :width]), 0, 255).astype(np.uint8)
            pictures.append(plots.boxes(photo, own[real], names))
        tf.summary.image("inputs after augmentation", plots.tiled(pictures)[None], state.step)

    def validator(self, strategy) -> Callable:
        """A function of (model, whether to stop) to scores; they count only if it was not stopped."""
        made = []

        def validate(model, stopping):
            if not made:
                made.append((Detector([model]), first(self.validation, MONITORED)))
            self.photos_shown.clear()
            return self.score(*made[0], strategy, stopping)

        return validate

    def score(self, detector: Detector, data: DetectionData, strategy, stopping=lambda: False) -> dict[str, float]:
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
        for place, image in pictures_of(data, shard, functools.partial(_missed, data)):
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

    def recalibrate(self, model, settings, state, stopping=lambda: False) -> None:
        """Nothing: a detector's normalization stands still."""

    def judged(self, values: dict[str, float]) -> float:
        """What validation is to bring down: what the goal lacks of 100 percent."""
        return 100 * (1 - values[self.goal])

    def summary(self, values: dict[str, float]) -> str:
        """A validation in a few words."""
        shown = dict.fromkeys((self.goal, "proposal_recall"))
        scores = "  ".join(f"{name.replace('_', ' ')} {100 * values[name]:.1f} %" for name in shown)
        return f"{scores}  ({min(MONITORED, len(self.validation)):,} of {len(self.validation):,} photos)"

    def pictures(self, model, step: int) -> None:
        """What TensorBoard shows of a validation: its first photos with what was found."""
        tf.summary.image("detections", plots.tiled(self.photos_shown)[None], step)

    def result(self, model, settings, state) -> dict:
        """Score the whole validation part."""
        if self.validation is None:
            return {"val_examples": None, "val_split": None}
        scores = self.score(Detector([model]), self.validation, model.distribute_strategy)
        return {f"val_{name}": value for name, value in scores.items()} | {
            "val_examples": len(self.validation),
            "val_split": self.validation.name,
        }

    def report(self, result: dict) -> list[str]:
        """The result in words, a line each."""
        if self.validation is None:
            return ["trained without a validation part: there is no best.keras, last.keras is the network"]
        found = {name: result[f"val_{name}"] for name in self.benchmark.columns}  # -1 without objects of that size
        scores = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.items() if value >= 0)
        recall = f"proposal recall at 300 {100 * result['val_proposal_recall']:.1f} %"
        monitored = f"{MONITORED:,}" if result["val_examples"] > MONITORED else "all"
        return [
            f"validation {scores}, {recall} ({result['val_examples']:,} images: {result['val_split']})",
            f"best.keras was chosen on {monitored} of them; the line above is of last.keras",
        ]

    def draw(self, name: str, rows: list[dict], path) -> None:
        """The run's curves as a picture."""
        plots.detection_curves(rows, PARTS, (self.benchmark.columns[0], "proposal_recall"), path)


def photos_of(data: DetectionData):
    """Each photo of ``data`` with its image, uint8 ``[height, width, 3]``, decoded ahead."""

    def refuse(place, error):
        raise error

    return ((data.photos[place], image) for place, image in pictures_of(data, Shard(), refuse))


def pictures_of(data: DetectionData, shard: Shard, lost: Callable[[int, InputError], None]):
    """The place and image of each photo of a worker's share of ``data``; all shares have photos from all over it.

    Of a photo that cannot be read ``lost`` is told the place and why, and the image is None.
    """
    places = tf.data.Dataset.range(shard.index, len(data), shard.workers)
    iterator = parallel_map(places, data.picture).prefetch(AHEAD).as_numpy_iterator()
    for place in range(shard.index, len(data), shard.workers):
        image = None
        try:
            image = next(iterator)
        except tf.errors.OpError:
            lost(place, _unreadable(data, place))
        yield place, image


def _unreadable(data: DetectionData, place: int) -> InputError:
    """Why the photo at ``place`` gave no picture."""
    try:
        (data.reader.fetch if data.reader is not None else lambda _: read_regular(data.photos[place].file))(place)
    except InputError as reason:
        return reason
    return InputError(f"{data.photos[place].file} does not decode: repair the file or leave it out.")


def first(data: DetectionData, count: int) -> DetectionData:
    """The first ``count`` photos of ``data``, also of its COCO annotations."""
    part = chosen(data, range(min(count, len(data))))
    return part if len(part) == len(data) else replace(part, name=f"first {len(part):,} of {data.name}")


def _missed(data: DetectionData, place: int, error: InputError) -> None:
    if data.reader is None:
        raise error
    data.reader.note(place, error, "its objects count as missed")


def readable(data: DetectionData) -> np.ndarray | None:
    """The rows of the photo files of ``data`` that decode, the others named: :func:`listed_images`; None of records."""
    if data.encoded is not None or not data.photos:
        return None
    return listed_images(_folder(data), [str(photo.file) for photo in data.photos])


def with_files(data: DetectionData, rows: np.ndarray | None) -> DetectionData:
    """``data`` with the photo files of ``rows`` alone, which are read as :func:`fetch_from` does."""
    if rows is None:
        return data
    folder = _folder(data)
    row_of = {path: number for number, path in enumerate(rows["path"].tolist())}
    paths = [os.fsencode(os.path.relpath(photo.file, folder)) for photo in data.photos]
    kept = [place for place, path in enumerate(paths) if path in row_of]
    fetch = fetch_from(folder, rows[[row_of[paths[place]] for place in kept]])
    found = data if len(kept) == len(data) else chosen(data, kept)
    return replace(found, reader=Reader(data.name, len(kept), fetch))


def _folder(data: DetectionData) -> Path:
    return Path(os.path.commonpath([photo.file.parent for photo in data.photos]))


def drawn(image, found, classes, least: float = SHOWN_SCORE):
    """``image`` with the boxes found in it that score ``least`` or more."""
    sure = found.scores >= least
    names = [f"{classes[c]} {s:.2f}" for c, s in zip(found.classes[sure], found.scores[sure], strict=True)]
    return plots.boxes(image, found.boxes[sure], names, found.classes[sure])
