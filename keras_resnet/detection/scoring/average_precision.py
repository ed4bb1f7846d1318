"""Average precision by the rules of PASCAL VOC and ImageNet DET."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_resnet.detection.boxes import DetectionsByPhoto, Truths, iou
from keras_resnet.errors import InputError


@dataclass(frozen=True)
class Rule:
    """How a benchmark scores.

    Fields:
        thresholds: from objects' boxes ``[n, 4]`` to the overlap that a detection of each one needs, ``[n]``.
        area: from recalls and precisions along the ranking to the AP.
        may_take_second: whether a detection whose best object is taken may be matched with another one (DET); otherwise
            it is wrong (VOC).
    """

    thresholds: Callable[[np.ndarray], np.ndarray]
    area: Callable[[np.ndarray, np.ndarray], float]
    may_take_second: bool = False


def half(boxes: np.ndarray) -> np.ndarray:
    """VOC's threshold, 0.5 for each of ``boxes`` ``[n, 4]``."""
    return np.full(len(boxes), 0.5)


def less_for_small(boxes: np.ndarray) -> np.ndarray:
    """DET's thresholds for ``boxes`` ``[n, 4]``, ``min(0.5, w h / ((w + 10) (h + 10)))``."""
    width, height = (boxes[:, 2] - boxes[:, 0]), (boxes[:, 3] - boxes[:, 1])
    return np.minimum(0.5, width * height / ((width + 10) * (height + 10)))


def eleven_points(recall: np.ndarray, precision: np.ndarray) -> float:
    """The mean, over recalls 0, 0.1 ... 1, of the highest precision at that recall or a higher one (VOC 2007)."""
    return float(np.mean([precision[recall >= point].max(initial=0.0) for point in np.arange(11) / 10]))


def under_the_envelope(recall: np.ndarray, precision: np.ndarray) -> float:
    """The area under the monotonically decreasing envelope of the precision (VOC 2010 and later, DET)."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


VOC2007 = Rule(half, eleven_points)
VOC2010 = Rule(half, under_the_envelope)
DET = Rule(less_for_small, under_the_envelope, may_take_second=True)


def average_precisions(truths: Mapping[Any, Truths], detections: DetectionsByPhoto, rule: Rule) -> dict[int, float]:
    """The AP, from 0 to 1, of each class that has objects, by class number.

    Args:
        truths: the objects of every image of the test set by image, including images without any.
        detections: by image; an image may be missing.
        rule: the benchmark's.

    Raises:
        InputError: detections of an image that is not in the test set.
    """
    for image in detections:
        if image not in truths:
            raise InputError(f"There are detections of image {image!r}, which is not in the test set.")
    classes = {int(number) for objects in truths.values() for number in objects.classes[~objects.ignored]}
    return {number: _average_precision(truths, detections, number, rule) for number in sorted(classes)}


def _average_precision(truths: Mapping[Any, Truths], detections: DetectionsByPhoto, number: int, rule: Rule) -> float:
    objects = {image: truth.select(truth.classes == number) for image, truth in truths.items()}
    count = sum(int((~truth.ignored).sum()) for truth in objects.values())
    ranking = [
        (score, image, box)
        for image, detected in detections.items()
        for box, _, score in detected.select(detected.classes == number)
    ]
    ranking.sort(key=lambda entry: -entry[0])  # stable: equal scores keep the given order
    taken = {image: np.zeros(len(truth.boxes), bool) for image, truth in objects.items()}
    verdicts = [_verdict(objects[image], taken[image], box, rule) for _, image, box in ranking]
    right = np.cumsum([verdict == 1 for verdict in verdicts])
    wrong = np.cumsum([verdict == 0 for verdict in verdicts])
    if not right.size or not right[-1]:
        return 0.0
    return rule.area(right / count, right / np.maximum(right + wrong, 1))


def _verdict(objects: Truths, taken: np.ndarray, box: np.ndarray, rule: Rule) -> int | None:
    """1 for a correct detection, 0 for a wrong one, None for one of an ignored object; updates ``taken``."""
    if not len(objects.boxes):
        return 0
    overlaps = iou(box[None], objects.boxes)[0]
    enough = overlaps >= rule.thresholds(objects.boxes)
    if rule.may_take_second:
        overlaps = np.where(enough & ~taken, overlaps, -1.0)
    best = int(overlaps.argmax())
    if overlaps[best] < 0 or not enough[best] or taken[best]:
        return 0
    if objects.ignored[best]:  # never taken
        return None
    taken[best] = True
    return 1
