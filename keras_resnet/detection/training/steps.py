"""Training a detector: all parts together, or in the paper's four steps."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_resnet import training
from keras_resnet.detection.backbone import Backbone, from_network, preprocessing_of, rebuild, vgg16
from keras_resnet.detection.data.photo_files import check_unseen, content_hashes
from keras_resnet.detection.data.photos import DetectionData, check_same_classes
from keras_resnet.detection.detector_file import load_detector
from keras_resnet.detection.faster_rcnn import LEARNABLE, FasterRCNN, Learnable
from keras_resnet.detection.scoring.benchmarks import BENCHMARKS
from keras_resnet.detection.training.before_training import boxes_overview
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.detection.training.detection_task import DetectionTask
from keras_resnet.detection.training.finished_detector import FinishedDetector, finished_detector
from keras_resnet.detection.training.photo_reading import as_begun, readable, with_files
from keras_resnet.detection.training.protocols import Protocol
from keras_resnet.detection.training.reporter import MONITORED
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.specs import VGG16, split_name
from keras_resnet.training.workers import is_chief
from keras_resnet.weights.preprocessing import CAFFE, Preprocessing


@dataclass(frozen=True)
class Phase:
    """One of the four steps (Ren et al. 2015, Sec. 3.2), or joint training.

    Fields:
        name: of the step's folder in the workdir.
        learn: the parts that learn.
        start: the step whose detector it continues; None to begin with the classifier.
        fresh: whether the proposal network begins with random weights.
        proposals: the step whose detector makes the proposals; None for its own proposals.
        images: per step, in units of the batch size: the paper's steps have 8 and 16.
    """

    name: str = ""
    learn: tuple[Learnable, ...] = LEARNABLE
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
) -> dict[str, Any]:
    """Train the detector that ``settings`` describe, or continue to; returns the content of ``result.json``.

    Each of the four steps has a folder of its own in the workdir. Finished ones are not repeated, and none can be
    lengthened, because the next one begins with its detector. Without ``validation`` there is no ``best.keras``, and
    ``last.keras`` is the result.

    Raises:
        InputError: settings or data that cannot be used, such as training and validation photos in common, or other
            classes in one of the parts.
    """
    settings.check()
    if settings.overfit is not None:
        train = validation = train.first(settings.overfit)
    parts = {"train": train} | ({"validation": validation} if validation is not None else {})
    _check_objects(train, validation)
    finished = finished_detector(settings.model)
    backbone, preprocessing, start = _beginning(settings, finished)
    rows = {name: readable(part) for name, part in parts.items()}
    if settings.overfit is None and validation is not None:
        hashes = content_hashes(with_files(train, rows["train"]))
        hashes = hashes if finished is None else np.union1d(hashes, finished.trained_on)
        check_unseen(hashes, with_files(validation, rows["validation"]), f"A detector of {train.name}")
    if is_chief(training.choose_strategy()):
        print(boxes_overview(settings, parts), flush=True)

    def task(settings: DetectionSettings, phase: Phase) -> DetectionTask:
        begun = {name: as_begun(part, rows[name], settings.workdir, name) for name, part in parts.items()}
        return DetectionTask(
            begun["train"],
            begun.get("validation"),
            BENCHMARKS[protocol.benchmark],
            settings,
            backbone,
            preprocessing,
            replace(protocol, reference_batch=protocol.reference_batch * phase.images),
            phase.learn,
            functools.partial(_take_over, settings=settings, phase=phase) if phase.start else start,
            _last_detector(settings, phase.proposals) if phase.proposals else None,
            finished if settings.keep else None,
        )

    if settings.scheme == "joint":
        return training.run(settings, functools.partial(task, phase=Phase()))
    result: dict[str, Any] = {}
    for phase in PHASES:
        phase_settings = replace(
            settings, workdir=settings.workdir / phase.name, batch_size=settings.batch_size * phase.images
        )
        done = training.finished_result(phase_settings)
        if done is not None:
            result = done
            continue
        print(f"step {phase.name}", flush=True)
        # a step that grew would leave the next one, which began with its detector, with an earlier detector's weights
        result = training.run(phase_settings, functools.partial(task, phase=phase), growing=())
    return result


def _check_objects(train: DetectionData, validation: DetectionData | None) -> None:
    """Raise :class:`InputError` for parts without annotations or of different classes, or nothing to validate by."""
    for part, purpose in ((train, "learn from"), (validation, "validate by")):
        if part is None:
            continue
        if not part.annotated:
            raise InputError(f"{part.name} has no annotations to {purpose}: give photos with their objects.")
        check_same_classes(train, part)
    if validation is not None and not validation.first(MONITORED).has_objects:
        raise InputError(
            f"{validation.first(MONITORED).name} has no photo with an object to validate by: annotate some, or give "
            "other data."
        )


def _beginning(
    settings: DetectionSettings, finished: FasterRCNN | None
) -> tuple[Callable[[], Backbone], Preprocessing, Callable[[FasterRCNN], None] | None]:
    """What makes the backbone, its preprocessing, and what gives a new detector the weights of the ``finished`` one.

    Raises:
        InputError: the backbone cannot be made, or the finished detector's weights cannot be used.
    """
    if finished is not None:
        beginning = FinishedDetector(finished, settings.keep)
        beginning.check(settings)
        return functools.partial(rebuild, finished.backbone_config), finished.preprocessing, beginning.start
    if settings.keep:
        raise InputError(f"--keep keeps parts of a finished detector, and {settings.model} is none: leave it out.")
    return *_backbone(settings), None


def _last_detector(settings: DetectionSettings, phase: str) -> FasterRCNN:
    """The detector that an earlier step ended with, beside the folder of this one."""
    return load_detector(settings.workdir.parent / phase / "last.keras")


def _take_over(model: FasterRCNN, settings: DetectionSettings, phase: Phase) -> None:
    """Give ``model`` the weights of the step that ``phase`` continues; ``model.transfer`` says which."""
    assert phase.start is not None
    earlier = _last_detector(settings, phase.start)
    taken = ("shared", "head", "box_predictor", *(() if phase.fresh else ("rpn",)))
    for part in taken:
        getattr(model, part).set_weights(getattr(earlier, part).get_weights())
    lines = (f"step {phase.start} -> step {phase.name}", f"taken: {', '.join(taken)}")
    model.transfer = "\n".join((*lines, f"new: {'rpn' if phase.fresh else 'nothing'}"))


def _backbone(settings: DetectionSettings) -> tuple[Callable[[], Backbone], Preprocessing]:
    """A function that makes the backbone, and its preprocessing; raises InputError for one that cannot be made."""
    model, head = settings.model, settings.head
    name, weights = split_name(model)
    if name == VGG16:
        if head != "c4":
            raise InputError(f"VGG16 has the paper's head alone: leave out --head {head}, or take a residual network.")
        if weights:
            vgg16(weights)  # is refused here, before a folder is made
        return functools.partial(vgg16, weights or None), CAFFE
    network = load_model(model)
    from_network(network, head=head)
    return functools.partial(from_network, network, head=head), preprocessing_of(network)
