"""Training a detector: all parts together, or in the paper's four steps."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

from keras_resnet import training
from keras_resnet.detection.backbone import from_network, preprocessing_of, vgg16
from keras_resnet.detection.data.photo_files import check_unseen, contents
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_file import load_detector
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.detection.scoring.benchmarks import BENCHMARKS
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.detection.training.detection_task import DetectionTask
from keras_resnet.detection.training.photo_reading import first, readable, with_files
from keras_resnet.detection.training.protocols import Protocol
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.specs import VGG16, split_name
from keras_resnet.training.files.workdir import read_result
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


def train(
    settings: DetectionSettings, train: DetectionData, validation: DetectionData | None, protocol: Protocol
) -> dict:
    """Train the detector that ``settings`` describe, or continue; returns ``result.json``'s content.

    In the four steps each has a folder of its own in the workdir, and those that are finished are not done again.
    Without ``validation`` there is no ``best.keras``: the network is ``last.keras``.

    Raises:
        InputError: settings or data that cannot be used, such as two parts that share a photo.
    """
    settings.check()
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

    def make(settings: DetectionSettings, **more) -> DetectionTask:
        def began_with(part):
            data, rows = found.get(part, (None, None))
            return with_files(data, rows if rows is None else training.first_photos(settings.workdir, part, rows))

        return DetectionTask(
            began_with("train"),
            began_with("validation"),
            BENCHMARKS[protocol.benchmark],
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
        done = read_result(folder)
        if done is not None:
            result = done
            continue
        print(f"step {phase.name}", flush=True)
        own = replace(settings, workdir=folder, batch_size=settings.batch_size * phase.images)
        result = training.run(own, functools.partial(_phase_task, make=make, phase=phase, protocol=protocol))
    return result


def _phase_task(settings, make, phase: Phase, protocol: Protocol) -> DetectionTask:
    def saved(name: str | None) -> FasterRCNN:
        return load_detector(settings.workdir.parent / str(name) / "last.keras")

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
    name, weights = split_name(model)
    if name == VGG16:
        if weights:
            vgg16(weights)  # refuses, before a folder is made
        return functools.partial(vgg16, weights or None), CAFFE
    network = load_model(model)
    from_network(network)  # refuses, before a folder is made
    return functools.partial(from_network, network), preprocessing_of(network)
