"""Average precision by the rules of PASCAL VOC and ImageNet DET."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

import numpy as np

from keras_resnet.detection.boxes import Detections, Truths, iou
from keras_resnet.errors import InputError


@dataclass(frozen=True)
class Rule:
    """How a benchmark scores.

    Fields:
        thresholds: from true boxes ``[n, 4]`` to the overlap each one asks for, ``[n]``.
        area: from recalls and precisions along the ranking to the AP.
        may_take_second: a detection whose best object is already found may take another one it overlaps (DET);
            otherwise it is wrong (VOC).
    """

    thresholds: Callable[[np.ndarray], np.ndarray]
    area: Callable[[np.ndarray, np.ndarray], float]
    may_take_second: bool = False


def half(boxes: np.ndarray) -> np.ndarray:
    """VOC's overlap of one half."""
    return np.full(len(boxes), 0.5)


def less_for_small(boxes: np.ndarray) -> np.ndarray:
    """DET's ``min(0.5, w h / ((w + 10) (h + 10)))``."""
    width, height = (boxes[:, 2] - boxes[:, 0]), (boxes[:, 3] - boxes[:, 1])
    return np.minimum(0.5, width * height / ((width + 10) * (height + 10)))


def eleven_points(recall: np.ndarray, precision: np.ndarray) -> float:
    """The mean, over recalls 0, 0.1 ... 1, of the best precision at that recall or a higher one (VOC 2007)."""
    best = [precision[recall >= point].max(initial=0.0) for point in np.arange(11) / 10]
    return float(np.mean(best))


def under_the_envelope(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area under the precision, made to fall monotonically (VOC 2010 and later, DET)."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


VOC2007 = Rule(half, eleven_points)
VOC2010 = Rule(half, under_the_envelope)
DET = Rule(less_for_small, under_the_envelope, may_take_second=True)


def average_precisions(
    truths: Mapping[Hashable, Truths], detections: Mapping[Hashable, Detections], rule: Rule
) -> dict[int, float]:
    """AP of each class that has objects, from 0 to 1.

    Args:
        truths: image to its objects, for every image of the test set, also those without any.
        detections: image to what was found there; an image may be missing.
        rule: the benchmark's.

    Raises:
        InputError: detections of an image that is not in the test set.
    """
    for image in detections:
        if image not in truths:
            raise InputError(f"There are detections of image {image!r}, which is not in the test set.")
    classes = {int(c) for objects in truths.values() for c in objects.classes[~objects.ignored]}
    return {each: _average_precision(truths, detections, each, rule) for each in sorted(classes)}


def mean_ap(precisions: Mapping[int, float]) -> float:
    """The mean over classes."""
    return float(np.mean(list(precisions.values())))


def _average_precision(truths, detections, wanted, rule) -> float:
    objects = {image: _of_class(found, wanted) for image, found in truths.items()}
    count = sum(int((~each.ignored).sum()) for each in objects.values())
    ranked = [
        (-score, image, box)
        for image, found in detections.items()
        for score, box in zip(found.scores[found.classes == wanted], found.boxes[found.classes == wanted], strict=True)
    ]
    ranked.sort(key=lambda entry: entry[0])  # stable: of equal scores the first given
    taken = {image: np.zeros(len(each.boxes), bool) for image, each in objects.items()}
    verdicts = [_verdict(objects[image], taken[image], box, rule) for _, image, box in ranked]
    right = np.cumsum([verdict == 1 for verdict in verdicts])
    wrong = np.cumsum([verdict == 0 for verdict in verdicts])
    if not right.size or not right[-1]:
        return 0.0
    return rule.area(right / count, right / np.maximum(right + wrong, 1))


def _verdict(objects, taken, box, rule) -> int | None:
    """1 for a detection that finds an object, 0 for a wrong one, None for one of an ignored object."""
    if not len(objects.boxes):
        return 0
    overlaps = iou(box[None], objects.boxes)[0]
    enough = overlaps >= rule.thresholds(objects.boxes)
    if rule.may_take_second:
        overlaps = np.where(enough & ~taken, overlaps, -1.0)
    best = int(overlaps.argmax())
    if overlaps[best] < 0 or not enough[best]:
        return 0
    if objects.ignored[best]:
        return None
    if taken[best]:
        return 0
    taken[best] = True
    return 1


def _of_class(objects: Truths, wanted: int) -> Truths:
    chosen = objects.classes == wanted
    return Truths(objects.boxes[chosen], objects.classes[chosen], objects.ignored[chosen])
