"""What lies in a detection data set: boxes by class and size against the anchors, and boxes that are probably wrong."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_resnet import plots
from keras_resnet.detection.anchors import BASE_SIDE
from keras_resnet.detection.boxes import area, iou
from keras_resnet.detection.data import DetectionData, DetectionSets, content_hashes
from keras_resnet.detection.detector_specs import Proposals
from keras_resnet.errors import InputError
from keras_resnet.inspection.inspection_page import Inspection, encoded
from keras_resnet.reporting.markup import figure, fragment, html_table, joined
from keras_resnet.wording import are, counted

if TYPE_CHECKING:
    from markupsafe import Markup

SHORTER, LONGER = 600, 1000  # pixels: how large a detector sees a photo
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, np.inf)}  # square pixels: COCO's
MATCHED = 0.5  # overlap with the best anchor, below which a box is hard to learn
TWICE = 0.9  # overlap of two boxes of one class, from which they are one object
OUTSIDE = 1.0  # pixels beyond the photo's edge that are no mistake of rounding
FEW = 20  # boxes of a class
DRAWN, DRAWN_SIDE = 12, 480  # photos, and pixels of their longer side
MAX_NAMED = 5
PROBLEMS = {  # of boxes, in words, with the way out
    "without_area": "without area, which is left out: draw it again",
    "outside": "beyond the edge of the photo, where it is cut off: was it drawn at another size of it?",
    "twice": "on another one of the same class: delete one, or objects will be found twice",
    "tiny": f"with a side below {Proposals.smallest:.0f} pixels as the detector sees it, where it proposes no regions: "
    "use larger photos, or cut them into parts",
}


@dataclass(frozen=True)
class _Boxes:
    """All boxes of one part in one row.

    Fields:
        boxes: ``[boxes, 4]``, clipped to their photos.
        classes: ``[boxes]``.
        photos: positions of their photos, ``[boxes]``.
        scales: by which a detector enlarges their photos, ``[boxes]``.
    """

    boxes: np.ndarray
    classes: np.ndarray
    photos: np.ndarray
    scales: np.ndarray

    @property
    def sides(self) -> np.ndarray:
        """Widths and heights as the detector sees them, ``[boxes, 2]``."""
        return (self.boxes[:, 2:] - self.boxes[:, :2]) * self.scales[:, None]


def inspect_boxes(sets: DetectionSets) -> Inspection:
    """Look at all boxes of all parts of ``sets`` and draw some photos with theirs.

    Raises:
        InputError: a part cannot be read, or no part has boxes.
    """
    parts = {name: sets.part(name) for name in sets.openers}
    parts = {name: part for name, part in parts.items() if part.annotated}
    if not parts:
        raise InputError(f"{sets.name} has no part with boxes: give the annotations of its photos.")
    rows = {name: _rows(part) for name, part in parts.items()}
    contents = {name: _part_content(parts[name], rows[name]) for name in parts}
    classes = next(iter(parts.values())).classes
    counts = ", ".join(
        f"{len(part):,} photos with {len(rows[name].boxes):,} boxes in {name}" for name, part in parts.items()
    )
    summary = f"{len(classes):,} classes; {counts}."
    copies = _copies(parts)
    advice = [*_about_copies(copies)]
    for name, content in contents.items():
        advice += _advice(name, content)
    return Inspection(
        sets.name, summary, advice, {"parts": contents, "copies": copies}, _sections(parts, rows, contents, classes)
    )


def anchor_overlaps(sides: np.ndarray) -> np.ndarray:
    """The largest overlap that each box can have with an anchor around its own centre, ``[boxes]``.

    Args:
        sides: widths and heights in pixels of the picture that the detector sees, ``[boxes, 2]``.
    """
    ratios, scales = (values.ravel() for values in np.meshgrid(Proposals.ratios, Proposals.scales))
    anchors = BASE_SIDE * scales[:, None] * np.stack([1 / np.sqrt(ratios), np.sqrt(ratios)], axis=1)
    shared = np.minimum(sides[:, None], anchors).prod(axis=2)
    return (shared / (sides.prod(axis=1)[:, None] + anchors.prod(axis=1) - shared)).max(axis=1, initial=0)


def boxes_twice(boxes: np.ndarray, classes: np.ndarray) -> int:
    """How many boxes of one photo lie almost on another of their class: ``boxes`` ``[n, 4]``, ``classes`` ``[n]``."""
    alike = (iou(boxes, boxes) >= TWICE) & (classes[:, None] == classes)
    return int(np.triu(alike, 1).any(axis=0).sum())


def _rows(part: DetectionData) -> _Boxes:
    photos = [i for i, photo in enumerate(part.photos) for _ in photo.objects.classes]
    scales = np.array([min(SHORTER / min(p.height, p.width), LONGER / max(p.height, p.width)) for p in part.photos])
    return _Boxes(
        np.concatenate([np.zeros((0, 4)), *(photo.objects.boxes for photo in part.photos)]),
        np.concatenate([np.zeros(0, np.int64), *(photo.objects.classes for photo in part.photos)]),
        np.array(photos, np.int64),
        scales[photos] if photos else np.zeros(0),
    )


def _part_content(part: DetectionData, rows: _Boxes) -> dict[str, Any]:
    areas, overlaps = area(rows.boxes), anchor_overlaps(rows.sides)
    tiny = rows.sides.min(axis=1, initial=np.inf) < Proposals.smallest if len(rows.boxes) else np.zeros(0, bool)
    twice = {i: boxes_twice(photo.objects.boxes, photo.objects.classes) for i, photo in enumerate(part.photos)}
    beyond = _beyond(part)
    by_class = {}
    for number, name in enumerate(part.classes):
        of_class = rows.classes == number
        by_class[name] = {
            "boxes": int(of_class.sum()),
            "photos": len(np.unique(rows.photos[of_class])),
            **{size: int((of_class & (areas >= low) & (areas < high)).sum()) for size, (low, high) in SIZES.items()},
            "far_from_anchors": int((of_class & (overlaps < MATCHED)).sum()),
        }
    return {
        "photos": len(part),
        "without_boxes": int(sum(not len(photo.objects.classes) for photo in part.photos)),
        "boxes": len(rows.boxes),
        "classes": by_class,
        "tiny": _counted(part, rows.photos[tiny].tolist()),
        "far_from_anchors": _counted(part, rows.photos[overlaps < MATCHED].tolist()),
        "twice": _counted(part, [i for i, count in twice.items() for _ in range(count)]),
        "outside": _counted(part, beyond["outside"]),
        "without_area": _counted(part, beyond["without_area"]),
    }


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


def _copies(parts: dict[str, DetectionData]) -> list[dict[str, str]]:
    """Photos whose files are in two parts."""
    seen: dict[int, tuple[str, str]] = {}
    copies = []
    for name, part in parts.items():
        for photo, content in zip(part.photos, content_hashes(part).tolist(), strict=True):
            before = seen.setdefault(content, (name, str(photo.file)))
            if before[0] != name and content:
                copies.append({before[0]: before[1], name: str(photo.file)})
    return copies


def _about_copies(copies: list[dict[str, str]]) -> list[str]:
    if not copies:
        return []
    where = " and ".join(f"{file} ({part})" for part, file in copies[0].items())
    return [
        f"{counted(len(copies), 'photo')} {are(len(copies))} in two parts, such as {where}: scores will look too good."
    ]


def _advice(name: str, content: dict[str, Any]) -> list[str]:
    count = max(content["boxes"], 1)
    sentences = []
    for key, words in PROBLEMS.items():
        if content[key]["boxes"]:
            sentences.append(
                f"{name}: {counted(content[key]['boxes'], 'box')} {words} (such as in {content[key]['photos'][0]})."
            )
    far = content["far_from_anchors"]["boxes"]
    if far > 0.05 * count:
        sentences.append(
            f"{name}: {far:,} of {count:,} boxes ({far / count:.0%}) overlap no anchor by {MATCHED:.0%}, "
            "wherever it lies: they are very small, large or long, and will be found less often."
        )
    none = [class_name for class_name, about in content["classes"].items() if not about["boxes"]]
    if none:
        sentences.append(f"{name}: no box is of {_named(none)}: annotate some, or take the classes out.")
    few = [class_name for class_name, about in content["classes"].items() if 0 < about["boxes"] < FEW]
    if few:
        sentences.append(f"{name}: {_named(few)}: fewer than {FEW} boxes. Annotate more.")
    if content["without_boxes"]:
        sentences.append(f"{name}: photos without a box, which are not trained on: {content['without_boxes']:,}.")
    return sentences


def _named(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (
        f" and {len(names) - MAX_NAMED} other classes" if len(names) > MAX_NAMED else ""
    )


def _sections(parts, rows, contents, classes) -> "list[tuple[str, str, Markup]]":
    header = ("class", "boxes", "photos", *SIZES, "far from anchors")
    sections = []
    for name, part in parts.items():
        classes_of_part = contents[name]["classes"].items()
        table = html_table(header, [(class_name, *about.values()) for class_name, about in classes_of_part])
        words = "Sizes are COCO's: below 32², below 96² square pixels, and above. Far from anchors: no overlap of 50 %."
        sections.append((f"{name}-classes", f"Boxes of {name} by class", joined([fragment("paragraph", words), table])))
        sections.append((f"{name}-photos", f"Photos of {name}", _sheet(part, rows[name])))
    return sections


def _sheet(part: DetectionData, rows: _Boxes) -> "Markup":
    """Photos with their boxes: first those of rare classes."""
    counts = Counter(rows.classes.tolist())
    rarest = sorted(
        (min((counts[int(c)] for c in photo.objects.classes), default=len(rows.boxes) + 1), i)
        for i, photo in enumerate(part.photos)
    )
    drawn = [fragment("paragraph", "The photos of the rarest classes first.")]
    for _, i in rarest[:DRAWN]:
        photo = part.photos[i]
        try:
            picture = part.picture(i).numpy()
        except Exception:  # a photo that does not decode, which the scan of a run names
            continue
        step = max(1, -(-max(picture.shape[:2]) // DRAWN_SIDE))
        names = [part.classes[c] for c in photo.objects.classes]
        image = plots.boxes(picture[::step, ::step], photo.objects.boxes / step, names, photo.objects.classes)
        drawn.append(figure(encoded(image), f"{photo.file}: {len(names)} boxes", "jpeg"))
    return joined(drawn)
