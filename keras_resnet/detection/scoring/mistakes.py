"""What a detector confuses, misses and makes up: its boxes above a score against the objects, photo by photo."""

from dataclasses import dataclass

import numpy as np

from keras_resnet.detection.boxes import NO_DETECTIONS, Detections, DetectionsByPhoto, Truths, area, covered, iou
from keras_resnet.detection.data.photos import DetectionData

OVERLAP = 0.5  # from which a box is one of an object, and the share of it from which it is one of an ignored object


@dataclass(frozen=True)
class Mistake:
    """An object that was missed, or a box that is none of its class.

    Fields:
        photo: its position.
        box: ``[4]``, of the object or of the detection.
        answer: the class of the detection; None if the object was missed.
        label: the class of the object; None if there is none.
        score: of the detection; of a missed object, its area as a share of the photo's.
    """

    photo: int
    box: np.ndarray
    answer: int | None
    label: int | None
    score: float


@dataclass(frozen=True)
class Mistakes:
    """The answers to all photos.

    Fields:
        matrix: int64 ``[classes + 1, classes + 1]``: a row a true class, the last one no object; a column an answer,
            the last one none.
        missed: objects that no box of any class finds, the largest first.
        false: boxes that find no object of their class, in descending order of score.
    """

    matrix: np.ndarray
    missed: tuple[Mistake, ...]
    false: tuple[Mistake, ...]


def mistakes(data: DetectionData, detections: DetectionsByPhoto, thresholds: np.ndarray) -> Mistakes:
    """Compare the ``detections`` that score at least their class's threshold, ``[classes]``, with the objects.

    In descending order of score, each box takes the object of its class that it overlaps most, by at least a half; then
    boxes that took none take objects of other classes in the same way, which are confusions. Boxes of which an ignored
    object of their class covers half count for nothing, however much larger it is, as in COCO's scorer.
    """
    none = len(data.classes)
    matrix = np.zeros((none + 1, none + 1), np.int64)
    missed: list[Mistake] = []
    false: list[Mistake] = []
    for place, photo in enumerate(data.photos):
        detected = detections.get(photo.id, NO_DETECTIONS)
        detected = detected.select(detected.scores >= thresholds[detected.classes])
        detected = detected.select(np.argsort(-detected.scores, kind="stable"))
        taken, objects = _match(detected, photo.objects)
        for (box, answer, score), object_place in zip(detected, taken, strict=True):
            if object_place == IGNORED:
                continue
            label = none if object_place == NOTHING else int(photo.objects.classes[object_place])
            matrix[label, answer] += 1
            if label != answer:
                false.append(Mistake(place, box, int(answer), None if label == none else label, float(score)))
        for object_place in objects:
            label = int(photo.objects.classes[object_place])
            matrix[label, none] += 1
            box = photo.objects.boxes[object_place]
            missed.append(Mistake(place, box, None, label, float(area(box) / (photo.width * photo.height))))
    by_score = [tuple(sorted(rows, key=lambda row: -row.score)) for rows in (missed, false)]
    return Mistakes(matrix, *by_score)


NOTHING, IGNORED = -1, -2  # what a box finds besides objects


def _match(detected: Detections, truth: Truths) -> tuple[np.ndarray, list[int]]:
    """The place of the object that each detection takes, ``NOTHING`` or ``IGNORED``; and places of those not taken."""
    overlaps = iou(detected.boxes, truth.boxes)
    in_ignored = truth.ignored & (covered(detected.boxes, truth.boxes) >= OVERLAP)
    taken = np.full(len(detected.boxes), NOTHING)
    free = ~truth.ignored
    for same_class in (True, False):
        for place, row in enumerate(overlaps):
            if taken[place] != NOTHING:
                continue
            wanted = free & ((truth.classes == detected.classes[place]) == same_class)
            best = int(np.where(wanted, row, -1.0).argmax()) if wanted.any() else NOTHING
            if best != NOTHING and row[best] >= OVERLAP:
                taken[place] = best
                free[best] = False
            elif same_class and (in_ignored[place] & (truth.classes == detected.classes[place])).any():
                taken[place] = IGNORED
    return taken, np.flatnonzero(free).tolist()
