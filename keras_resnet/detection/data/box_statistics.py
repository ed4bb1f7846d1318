"""The boxes of a data set as numbers: by class and size, which of them anchors reach, and which are probably wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_resnet.detection.anchors import STRIDE, anchor_sides, anchor_strides
from keras_resnet.detection.boxes import area, iou
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_specs import HeadName, ImageSize, Proposals

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}  # square pixels: COCO's
REACHED = (0.5, 0.7)  # overlaps with the best anchor: of an object that is learned, and that any anchor is positive for
TWICE = 0.9  # overlap of two boxes of one class, from which they are one object
OUTSIDE = 1.0  # pixels beyond the photo's edge that are no mistake of rounding


@dataclass(frozen=True)
class SeenBoxes:
    """All boxes of one part in one row, as a detector sees them in resized photos.

    Fields:
        boxes: ``[boxes, 4]`` in pixels of the resized photo.
        areas: in square pixels of the photo itself, ``[boxes]``.
        classes: ``[boxes]``.
        photos: positions of their photos, ``[boxes]``.
        learned: which of them are not ignored, bool ``[boxes]``.
    """

    boxes: np.ndarray
    areas: np.ndarray
    classes: np.ndarray
    photos: np.ndarray
    learned: np.ndarray

    @property
    def sides(self) -> np.ndarray:
        """Widths and heights ``[boxes, 2]``."""
        return self.boxes[:, 2:] - self.boxes[:, :2]


def seen_boxes(part: DetectionData, size: ImageSize) -> SeenBoxes:
    """The boxes of ``part`` in photos that are resized to ``size``."""
    photos = np.array([i for i, photo in enumerate(part.photos) for _ in photo.objects.classes], np.int64)
    sides = np.array([(photo.height, photo.width) for photo in part.photos], np.float64).reshape(-1, 2)
    scales = np.minimum(size.shorter / sides.min(axis=1), size.longer / sides.max(axis=1))
    boxes = np.concatenate([np.zeros((0, 4)), *(photo.objects.boxes for photo in part.photos)])
    return SeenBoxes(
        boxes * scales[photos][:, None],
        area(boxes),
        np.concatenate([np.zeros(0, np.int64), *(photo.objects.classes for photo in part.photos)]),
        photos,
        ~np.concatenate([np.zeros(0, bool), *(photo.objects.ignored for photo in part.photos)]),
    )


def anchor_overlaps(boxes: np.ndarray, sides: np.ndarray, stride: float | np.ndarray = STRIDE) -> np.ndarray:
    """The largest overlap of each box with any of the anchors that are centred on the cells of a feature map.

    The nearest centre has the largest overlap, along each axis and for each anchor, so no other one is looked at. The
    map is taken to be large enough.

    Args:
        boxes: ``[boxes, 4]`` in pixels of the picture that the detector sees.
        sides: widths and heights of the anchors, ``[anchors, 2]``.
        stride: pixels between neighboring cells, of each anchor ``[anchors]`` where they are of several maps; the first
            centre is half of it from the upper left corner.

    Returns:
        Intersection over union, ``[boxes]``.
    """
    centres = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    cells = np.broadcast_to(stride, len(sides))[:, None]
    nearest = (np.maximum(np.floor(centres / cells), 0) + 0.5) * cells
    low = np.maximum(boxes[:, None, :2], nearest - sides / 2)
    high = np.minimum(boxes[:, None, 2:], nearest + sides / 2)
    shared = np.maximum(high - low, 0).prod(axis=2)
    union = area(boxes)[:, None] + sides.prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0).max(axis=1, initial=0)


def boxes_twice(boxes: np.ndarray, classes: np.ndarray) -> int:
    """How many boxes of one photo lie almost on another of their class: ``boxes`` ``[n, 4]``, ``classes`` ``[n]``."""
    alike = (iou(boxes, boxes) >= TWICE) & (classes[:, None] == classes)
    return int(np.triu(alike, 1).any(axis=0).sum())


def box_statistics(part: DetectionData, size: ImageSize, proposals: Proposals, head: HeadName = "c4") -> dict[str, Any]:
    """What lies in ``part``, as plain values, for a detector with these anchors that sees photos of this size."""
    rows = seen_boxes(part, size)
    overlaps = anchor_overlaps(rows.boxes, anchor_sides(proposals), anchor_strides(proposals, head))
    tiny = rows.sides.min(axis=1, initial=np.inf) < proposals.smallest if len(rows.boxes) else np.zeros(0, bool)
    twice = {i: boxes_twice(photo.objects.boxes, photo.objects.classes) for i, photo in enumerate(part.photos)}
    beyond = _beyond(part)
    by_class = {}
    for number, name in enumerate(part.classes):
        of_class = rows.classes == number
        by_class[name] = {
            "boxes": int(of_class.sum()),
            "photos": len(np.unique(rows.photos[of_class])),
            **{
                word: int((of_class & (rows.areas >= low) & (rows.areas < high)).sum())
                for word, (low, high) in SIZES.items()
            },
            "far_from_anchors": int((of_class & (overlaps < REACHED[0])).sum()),
        }
    return {
        "photos": len(part),
        "without_boxes": int(sum(not len(photo.objects.classes) for photo in part.photos)),
        "boxes": len(rows.boxes),
        "seen_at": [size.shorter, size.longer],
        "anchor_sides": [round(float(s), 1) for s in np.unique(np.sqrt(anchor_sides(proposals).prod(axis=1)).round(1))],
        "smallest_proposal": proposals.smallest,
        "classes": by_class,
        "reach": reach(rows, overlaps),
        "tiny": _counted(part, rows.photos[tiny].tolist()),
        "far_from_anchors": _counted(part, rows.photos[overlaps < REACHED[0]].tolist()),
        "twice": _counted(part, [i for i, count in twice.items() for _ in range(count)]),
        "outside": _counted(part, beyond["outside"]),
        "without_area": _counted(part, beyond["without_area"]),
    }


def reach(rows: SeenBoxes, overlaps: np.ndarray) -> dict[str, Any]:
    """The shares of the objects that some anchor overlaps by 0.5 and 0.7, of all and by size in octaves of pixels.

    Args:
        rows: the boxes, of which ignored ones do not count.
        overlaps: of each box with its best anchor, ``[boxes]``.
    """
    overlaps, sides = overlaps[rows.learned], np.sqrt(rows.sides[rows.learned].prod(axis=1))
    octaves = np.floor(np.log2(np.maximum(sides, 1))).astype(int)
    shares = {f"{100 * least:.0f}": _share(overlaps >= least) for least in REACHED}
    sizes = [
        {"from": 2**octave, "to": 2 ** (octave + 1), "objects": int((octaves == octave).sum())}
        | {f"{100 * least:.0f}": _share(overlaps[octaves == octave] >= least) for least in REACHED}
        for octave in np.unique(octaves).tolist()
    ]
    return {"objects": len(overlaps), **shares, "sizes": sizes}


def _share(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _beyond(part: DetectionData) -> dict[str, list[int]]:
    """Positions of photos whose annotation file has boxes beyond their edges, or without area, once for each box."""
    wrong: dict[str, list[int]] = {"outside": [], "without_area": []}
    if part.dataset is None:  # only COCO's annotations are kept as they were
        return wrong
    positions = {photo.id: i for i, photo in enumerate(part.photos)}
    for entry in part.dataset["annotations"]:
        i = positions[entry["image_id"]]
        x, y, width, height = entry["bbox"]
        beyond = max(-x, -y, x + width - part.photos[i].width, y + height - part.photos[i].height)
        if min(width, height) <= 0:
            wrong["without_area"].append(i)
        elif beyond > OUTSIDE:
            wrong["outside"].append(i)
    return wrong


def _counted(part: DetectionData, positions: list[int]) -> dict[str, Any]:
    return {"boxes": len(positions), "photos": [str(part.photos[i].file) for i in dict.fromkeys(positions)]}
