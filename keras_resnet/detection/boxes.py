"""Boxes of one image, true and found: ``[x1, y1, x2, y2]`` in pixels from the image's left upper edge, float.

A box covers ``x2 - x1`` pixels. VOC's inclusive, 1-based ``xmin ... xmax`` is ``x1 = xmin - 1, x2 = xmax``: areas and
overlaps are then those that its scorer has with its + 1.
"""

from dataclasses import dataclass, field

import numpy as np

from keras_resnet.errors import InputError


@dataclass(frozen=True)
class Truths:
    """The objects of one image.

    Fields:
        boxes: ``[objects, 4]``.
        classes: ``[objects]``, from 0.
        ignored: ``[objects]``, True where the benchmark neither asks for nor minds a detection (VOC's difficult).
    """

    boxes: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray = field(default=None)  # type: ignore[arg-type]  # filled in below

    def __post_init__(self):
        object.__setattr__(self, "boxes", np.asarray(self.boxes, np.float64).reshape(-1, 4))
        object.__setattr__(self, "classes", np.asarray(self.classes, np.int64).reshape(-1))
        ignored = np.zeros(len(self.classes), bool) if self.ignored is None else np.asarray(self.ignored, bool)
        object.__setattr__(self, "ignored", ignored.reshape(-1))


@dataclass(frozen=True)
class Detections:
    """What was found in one image: ``boxes`` ``[found, 4]``, ``classes`` ``[found]`` from 0, ``scores`` ``[found]``.

    Boxes and scores are finite, else InputError: comparisons with NaN are false, and scorers take them for right.
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


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each of ``a`` ``[n, 4]`` with each of ``b`` ``[m, 4]``, ``[n, m]``; 0 without area."""
    corner = np.maximum(a[:, None, :2], b[None, :, :2])
    extent = np.maximum(np.minimum(a[:, None, 2:], b[None, :, 2:]) - corner, 0)
    shared = extent.prod(axis=2)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def area(boxes: np.ndarray) -> np.ndarray:
    """Areas ``[n]`` of ``boxes`` ``[n, 4]``, in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
