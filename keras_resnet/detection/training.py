"""Training a detector: all parts together, or in the paper's four steps."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from keras_resnet import training
from keras_resnet.detection.backbone import from_network, preprocessing_of, vgg16
from keras_resnet.detection.benchmarks import BENCHMARKS, Benchmark
from keras_resnet.detection.experiment import DetectionExperiment, first, readable, with_files
from keras_resnet.detection.loading import load_detector
from keras_resnet.detection.model import FasterRCNN
from keras_resnet.detection.photo_files import check_unseen, contents
from keras_resnet.detection.photos import DetectionData
from keras_resnet.detection.settings import LAYERS, DetectionSettings
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.weights.preprocessing import CAFFE, Preprocessing


@dataclass(frozen=True)
class Phase:
    """One of the four steps (Ren et al. 2015, Sec. 3.2).

    Fields:
        name: of its folder.
        learn: the parts that learn.
        start: the phase whose detector it goes on with; None for the classifier.
        fresh: starts with new layers for proposals.
        proposals: the phase whose proposals it learns regions from; None for its own.
        images: a step, in units of the batch size: the paper's steps have 8 and 16.
    """

    name: str
    learn: tuple[str, ...]
    start: str | None = None
    fresh: bool = False
    proposals: str | None = None
    images: int = 1


PHASES = (
    Phase("1-proposals", ("shared", "proposals")),
    Phase("2-regions", ("shared", "regions"), proposals="1-proposals", images=2),
    Phase("3-proposals", ("proposals",), start="2-regions", fresh=True),
    Phase("4-regions", ("regions",), start="3-proposals", images=2),
)


@dataclass(frozen=True)
class Protocol:
    """A benchmark's training (Sec. 4.3); every one begins at rate 0.001.

    Fields:
        benchmark: how it is scored.
        images: the least and the most images it learns from, counted each time; in between COCO's epochs.
        reference_batch: images a step that the rate is meant for.
        milestones: where the rate falls, as fractions of the length.
        decay: of the weights.
    """

    benchmark: Benchmark
    images: tuple[int, int]
    reference_batch: int
    milestones: tuple[float, ...]
    decay: float

    def preset(self, batch_size: int | None, photos: int) -> dict:
        """Settings by name for so many training ``photos``: as many images as follow from these, whatever the batch."""
        batch_size = batch_size or self.reference_batch
        least, most = self.images
        steps = max(1, round(min(max(COCO_EPOCHS * photos, least), most) / batch_size))
        return {"batch_size": batch_size, "steps": steps, "base_lr": 0.001} | LAYERS


VOC_IMAGES, COCO_IMAGES = 80_000, 8 * 320_000  # 60,000 and 20,000 steps of one; 240,000 and 80,000 of 8
COCO_EPOCHS = COCO_IMAGES / 82_783  # photos of train2014
_COCO = ((VOC_IMAGES, COCO_IMAGES), 8, (240 / 320,), 1e-4)
_VOC = ((VOC_IMAGES, VOC_IMAGES), 1, (60 / 80,), 5e-4)
PROTOCOLS = {
    "coco": Protocol(BENCHMARKS["coco"], *_COCO),
    "det": Protocol(BENCHMARKS["det"], *_COCO),
    "voc2007": Protocol(BENCHMARKS["voc2007"], *_VOC),
    "voc2012": Protocol(BENCHMARKS["voc2012"], *_VOC),
}


def train(
    settings: DetectionSettings, train: DetectionData, validation: DetectionData | None, protocol: Protocol
) -> dict:
    """Train the detector that ``settings`` describe, or continue; returns ``result.json``'s content.

    In the four steps each has a folder of its own in the workdir, and those that are finished are not done again.
    Without ``validation`` there is no ``best.keras``: the network is ``last.keras``.

    Raises:
        InputError: settings or data that cannot be used, such as two parts that share a photo.
    """
    if settings.overfit is not None:
        train = validation = first(train, settings.overfit)
    for part, purpose in ((train, "learn from"), (validation, "validate by")):
        if part is not None and not part.annotated:
            raise InputError(f"{part.name} has no annotations to {purpose}: give photos with their objects.")
    backbone, preprocessing = _backbone(settings.model)
    found = {part: (data, readable(data)) for part, data in (("train", train), ("validation", validation)) if data}
    if settings.overfit is None and validation is not None:
        check_unseen(
            contents(with_files(*found["train"])), with_files(*found["validation"]), f"A detector of {train.name}"
        )

    def make(settings: DetectionSettings, **more) -> DetectionExperiment:
        def began_with(part):
            data, rows = found.get(part, (None, None))
            return with_files(data, rows if rows is None else training.first_photos(settings.workdir, part, rows))

        return DetectionExperiment(
            began_with("train"),
            began_with("validation"),
            protocol.benchmark,
            settings,
            backbone=backbone,
            preprocessing=preprocessing,
            milestones=protocol.milestones,
            decay=protocol.decay,
            **more,
        )

    if settings.scheme == "joint":
        return training.run(settings, lambda s: make(settings=s, reference_batch=protocol.reference_batch))
    result = {}
    for phase in PHASES:
        folder = settings.workdir / phase.name
        done = folder / "result.json"
        if done.exists():
            result = json.loads(done.read_text())
            continue
        print(f"step {phase.name}", flush=True)
        own = replace(settings, workdir=folder, batch_size=settings.batch_size * phase.images)
        result = training.run(own, functools.partial(_phase_experiment, make=make, phase=phase, protocol=protocol))
    return result


def _phase_experiment(settings, make, phase: Phase, protocol: Protocol) -> DetectionExperiment:
    def saved(name: str) -> FasterRCNN:
        return load_detector(settings.workdir.parent / name / "last.keras")

    def take_over(model: FasterRCNN):
        old = saved(phase.start)
        for part in ("shared", "head", "outer", *(() if phase.fresh else ("rpn",))):
            getattr(model, part).set_weights(getattr(old, part).get_weights())

    return make(
        settings=settings,
        reference_batch=protocol.reference_batch * phase.images,
        learn=phase.learn,
        start=take_over if phase.start else None,
        proposals=saved(phase.proposals) if phase.proposals else None,
    )


def _backbone(model: str) -> tuple[Callable, Preprocessing]:
    """What makes the backbone, and its preprocessing."""
    name, _, weights = model.partition(":")
    if name == "VGG16":
        if weights not in ("", "imagenet") and not Path(weights).is_file():
            raise InputError(f"There is no weight file {weights}: give VGG16, VGG16:imagenet, or VGG16:FILE.")
        return functools.partial(vgg16, weights or None), CAFFE
    network = load_model(model)
    from_network(network)  # refuses, before a folder is made
    return functools.partial(from_network, network), preprocessing_of(network)
