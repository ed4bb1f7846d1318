"""Boxes of one image: ``[x1, y1, x2, y2]``, float, in pixels from the image's upper left corner.

A box covers ``x2 - x1`` pixels horizontally. VOC's inclusive, 1-based ``xmin ... xmax`` becomes ``x1 = xmin - 1, x2 =
xmax``, so that areas and overlaps are those of VOC's scorer, which adds 1 to each side.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor


@dataclass(frozen=True)
class Truths:
    """The ground truth of one image: its objects.

    Fields:
        boxes: float64 ``[objects, 4]``.
        classes: int64 ``[objects]``, counted from 0.
        ignored: bool ``[objects]``, True for objects that a detector need not find and may find without penalty (VOC's
            difficult objects, COCO's crowds); none by default.
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray = None  # type: ignore[assignment]  # filled in below

    def __post_init__(self):
        object.__setattr__(self, "boxes", np.asarray(self.boxes, np.float64).reshape(-1, 4))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        ignored = np.zeros(len(self.classes), bool) if self.ignored is None else np.asarray(self.ignored, bool)
        object.__setattr__(self, "ignored", ignored.reshape(-1))

    def select(self, which: np.ndarray) -> "Truths":
        """The objects at ``which``, a mask or positions."""
        return Truths(self.boxes[which], self.classes[which], self.ignored[which])


@dataclass(frozen=True)
class Detections:
    """The detections of one image.

    Fields:
        boxes: float64 ``[detections, 4]``.
        classes: int64 ``[detections]``, counted from 0.
        scores: float64 ``[detections]``.

    Raises:
        InputError: a box or score is not finite. Comparisons with NaN are false, so scorers would count it as correct.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "boxes", np.asarray(self.boxes, np.float64).reshape(-1, 4))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        object.__setattr__(self, "scores", np.asarray(self.scores, np.float64).reshape(-1))
        bad = ~(np.isfinite(self.boxes).all(axis=1) & np.isfinite(self.scores))
        if bad.any():
            box, score = self.boxes[bad][0].tolist(), self.scores[bad][0]
            raise InputError(f"A detection has box {box} and score {score}: leave out those that are not finite.")

    def __iter__(self) -> Iterator[tuple[np.ndarray, int, float]]:
        """Box, class and score of one detection after the other."""
        return zip(self.boxes, self.classes, self.scores, strict=True)

    def select(self, which: np.ndarray) -> "Detections":
        """The detections at ``which``, a mask or positions."""
        return Detections(self.boxes[which], self.classes[which], self.scores[which])


NO_OBJECTS = Truths(np.zeros((0, 4)), np.zeros(0))
NO_DETECTIONS = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0))
DetectionsByPhoto = Mapping[Any, Detections]
"""The detections of photos by their ids, which are numbers or names."""


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each box of ``a`` ``[n, 4]`` with each of ``b`` ``[m, 4]``, ``[n, m]``.

    It is 0 where both boxes are empty.
    """
    shared = _shared(a, b)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def covered(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The share of each box of ``a`` ``[n, 4]`` that each of ``b`` ``[m, 4]`` covers, ``[n, m]``; 0 of an empty box."""
    shared, areas = _shared(a, b), area(a)[:, None]
    return np.divide(shared, areas, out=np.zeros_like(shared), where=areas > 0)


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The areas ``[n, m]`` in which boxes ``a`` and ``b`` overlap."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    return np.maximum(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0).prod(axis=2)


def area(boxes: Tensor) -> Tensor:
    """Areas ``[...]`` of ``boxes`` ``[..., 4]``, arrays or tensors, in square pixels."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
