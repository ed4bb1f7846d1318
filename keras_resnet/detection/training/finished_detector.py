"""Starting from a finished detector: classes are matched by name, and parts can be kept as they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from keras_resnet.detection.boxes import Detections, DetectionsByPhoto
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_specs import RegionHead
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.detection.scoring.average_precision import VOC2010, average_precisions
from keras_resnet.detection.training.detection_settings import DEFAULT_HEAD, DetectionSettings, Kept
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.specs import split_name
from keras_resnet.weights.file_bounds import expanded

KEPT_CLASSES = "kept_classes_AP50"  # in result.json
Chosen = TypeVar("Chosen", bound=DetectionSettings)
COCO_NAMES = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}  # by VOC's names


def finished_detector(model: str | None) -> FasterRCNN | None:
    """The detector in the file that ``--model`` names; None if it names something else."""
    name, path = split_name(model or "")
    if name is not None or not path.endswith(".keras") or not expanded(path).is_file():
        return None
    loaded = load_model(path)
    return loaded if isinstance(loaded, FasterRCNN) else None


def like_finished(settings: Chosen) -> Chosen:
    """``settings`` whose values left out are those of the detector that ``--model`` names, if it names one.

    The head and the pooling of regions are the paper's otherwise.
    """
    detector = finished_detector(settings.model)
    if detector is None:
        return replace(settings, head=settings.head or DEFAULT_HEAD, pooling=settings.pooling or RegionHead.pooling)
    proposals, head, size = detector.proposals, detector.region_head, detector.image_size
    values: dict[str, Any] = {
        "head": detector.head_name, "pooling": head.pooling, "regions": head.regions, "smallest": proposals.smallest,
        "anchor_scales": proposals.scales, "anchor_ratios": proposals.ratios, "shorter_side": size.shorter,
        "longer_side": size.longer,
    }  # fmt: skip
    if settings.anchors is not None:  # chosen anew
        for name in ("smallest", "anchor_scales", "anchor_ratios"):
            del values[name]
    left_out = {name: value for name, value in values.items() if getattr(settings, name) is None}
    return replace(settings, context=settings.context or head.context, **left_out)


def matched(classes: Sequence[str], earlier: Sequence[str]) -> dict[int, int]:
    """The number in ``earlier`` of each of ``classes`` that is there too, by its own number.

    Names may differ in case, spaces, hyphens and underscores, and VOC's may stand for COCO's, as sofa for couch.
    """
    exact: dict[str, int] = {}
    alike: dict[str, int] = {}
    for number, name in enumerate(earlier):
        exact.setdefault(name, number)
        alike.setdefault(_plain(name), number)
    numbers = {number: exact.get(name, alike.get(_plain(name))) for number, name in enumerate(classes)}
    return {number: before for number, before in numbers.items() if before is not None}


def _plain(name: str) -> str:
    letters = "".join(letter for letter in name.casefold() if letter not in " -_")
    return COCO_NAMES.get(letters, letters)


def before_and_after(
    data: DetectionData, classes: dict[int, int], before: DetectionsByPhoto, after: DetectionsByPhoto
) -> dict[str, tuple[float, float]]:
    """The AP50 of each class that the finished detector has and ``data`` shows, of that detector and of the new one.

    Args:
        data: the photos.
        classes: the finished detector's number of each such class, by its number in ``data``, as from :func:`matched`.
        before, after: the detections of either, with its own class numbers.
    """
    truths = {photo.id: photo.objects for photo in data.photos}
    renumbered = {photo: _renumbered(detections, classes) for photo, detections in before.items()}
    first, second = (average_precisions(truths, detections, VOC2010) for detections in (renumbered, after))
    return {data.classes[number]: (first[number], second[number]) for number in classes if number in first}


def _renumbered(detections: Detections, classes: dict[int, int]) -> Detections:
    parts = [detections.select(detections.classes == before) for before in classes.values()]
    numbers = np.repeat(list(classes), [len(part.boxes) for part in parts])
    boxes = np.concatenate([np.zeros((0, 4)), *(part.boxes for part in parts)])
    return Detections(boxes, numbers, np.concatenate([np.zeros(0), *(part.scores for part in parts)]))


@dataclass(frozen=True)
class FinishedDetector:
    """The detector with which a run starts.

    Fields:
        detector: as it is in its file.
        keep: what of it does not learn.
    """

    detector: FasterRCNN
    keep: tuple[Kept, ...] = ()

    def check(self, settings: DetectionSettings) -> None:
        """Raise :class:`InputError` for settings with which its weights cannot be used."""
        if settings.head != self.detector.head_name:
            raise InputError(f"{settings.model} has the head {self.detector.head_name}: leave out --head.")
        if settings.context != self.detector.region_head.context:
            raise InputError(f"{settings.model} was trained without --context: leave it out.")
        if settings.scheme != "joint":
            raise InputError(f"{settings.model} is a detector already: leave out --scheme {settings.scheme}.")
        if "proposals" in self.keep and not self._same_anchors(settings.anchor_scales, settings.anchor_ratios):
            raise InputError("Proposals can be kept with the detector's own anchors only: leave out those settings.")

    def start(self, model: FasterRCNN) -> None:
        """Give ``model`` the detector's weights, and freeze what is kept; ``model.transfer`` says what became of each.

        Outputs of classes that the detector does not have, and the proposal network's outputs for other anchors, stay
        random.
        """
        earlier, classes = self.detector, matched(model.class_names, self.detector.class_names)
        for part in ("shared", "head"):
            getattr(model, part).set_weights(getattr(earlier, part).get_weights())
        same_anchors = self._same_anchors(model.proposals.scales, model.proposals.ratios)
        for name in ("rpn_conv", *(("rpn_scores", "rpn_deltas") if same_anchors else ())):
            model.rpn.get_layer(name).set_weights(earlier.rpn.get_layer(name).get_weights())
        places = {0: 0} | {number + 1: before + 1 for number, before in classes.items()}  # the background is first
        self._take_outputs(model, "class_scores", 1, places)
        self._take_outputs(model, "box_deltas", 4, classes)
        model.trained_on = np.union1d(model.trained_on, earlier.trained_on)
        for name, part in (("shared", model.shared), ("proposals", model.rpn), ("regions", model.head)):
            if name in self.keep:
                for layer in part.layers:
                    layer.trainable = False
        model.transfer = self._report(model, classes, same_anchors)

    def _same_anchors(self, scales: Sequence[float], ratios: Sequence[float]) -> bool:
        proposals = self.detector.proposals
        return (tuple(scales), tuple(ratios)) == (proposals.scales, proposals.ratios)

    def _take_outputs(self, model: FasterRCNN, name: str, numbers: int, places: dict[int, int]) -> None:
        """Give the layer ``name`` the detector's outputs at ``places``, of ``numbers`` numbers each; freeze them."""
        new, old = list(places), list(places.values())
        layers = (detector.box_predictor.get_layer(name) for detector in (model, self.detector))
        for variable, before in zip(*(layer.weights for layer in layers), strict=True):
            values = variable.numpy().reshape(-1, variable.shape[-1] // numbers, numbers)
            values[:, new] = before.numpy().reshape(len(values), -1, numbers)[:, old]
            variable.assign(values.reshape(variable.shape))
            if "classes" in self.keep:
                variable.fixed = np.repeat(np.isin(np.arange(values.shape[1]), new), numbers)

    def _report(self, model: FasterRCNN, classes: dict[int, int], same_anchors: bool) -> str:
        names, before = model.class_names, self.detector.class_names
        kept = [
            names[number] if names[number] == before[old] else f"{names[number]} ({before[old]})"
            for number, old in classes.items()
        ]
        new = [name for number, name in enumerate(names) if number not in classes]
        dropped = [name for number, name in enumerate(before) if number not in classes.values()]
        lines = [f"{self.detector.name} of {len(before)} classes -> detector of {len(names)} classes"]
        for title, listed in (("classes with their outputs", kept), ("new", new), ("dropped", dropped)):
            lines.append(f"{title}: {len(listed)}{': ' if listed else ''}{', '.join(listed)}")
        lines += [] if same_anchors else ["other anchors: the proposal network's outputs are new"]
        return "\n".join(lines + ([f"kept as they are: {', '.join(self.keep)}"] if self.keep else []))
