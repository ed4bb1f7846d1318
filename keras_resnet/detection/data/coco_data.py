"""Data sets in COCO's format: a JSON file of annotations and a folder of images."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data.decoding import MAX_PIXELS
from keras_resnet.data.reading import read_json
from keras_resnet.detection.boxes import Truths, area
from keras_resnet.detection.data.annotation_checks import (
    MAX_NAME_LENGTH,
    BoxRepairs,
    check_files,
    check_units,
    path_below,
)
from keras_resnet.detection.data.photo_files import with_orientations
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.errors import InputError

MAX_NUMBER = 2**53  # integers up to it are exact as float64
MAX_SHOWN = 60  # characters of a wrong value

Entry = dict[str, Any]  # of a JSON file
Check = tuple[Callable[[Any], bool], str]  # whether a value is allowed, and what is, in words


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -MAX_NUMBER <= value <= MAX_NUMBER


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME_LENGTH and value.isprintable()


def _is_name(value: Any) -> bool:
    return _is_text(value) or _is_whole(value)


def _is_side(value: Any) -> bool:
    return _is_whole(value) and 0 < value <= MAX_PIXELS


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value))


ID: Check = (_is_name, "a whole number or a name")
SIDE: Check = (_is_side, "a number of pixels")
NAME = f"a name of at most {MAX_NAME_LENGTH:,} characters"
FIELDS: dict[str, dict[str, Check]] = {  # that each entry of each list must have
    "images": {"id": ID, "file_name": (_is_text, NAME), "height": SIDE, "width": SIDE},
    "categories": {"id": ID, "name": (_is_name, NAME)},
    "annotations": {
        "id": ID,
        "image_id": ID,
        "category_id": ID,
        "bbox": (_is_box, "4 numbers"),
        "area": (_is_number, "a number"),
        "iscrowd": (lambda value: value in (0, 1), "0 or 1"),
    },
}


def open_coco(annotations: Path, images: Path) -> DetectionData:
    """The photos and objects of a COCO annotation file.

    Category ids may have gaps; classes are numbered in the order of the ids. Crowd regions are ignored objects. Boxes
    are clipped to their image and those without area left out, which is counted in a warning. The scorer's ``dataset``
    is the file's content, except that ``iscrowd`` is 0 where it is missing and segmentations are dropped. A file
    without ``annotations``, such as COCO's image_info files of its test parts, gives photos without objects.

    A photo whose EXIF orientation exchanges its sides is turned if the file states the size of the turned picture;
    otherwise boxes refer to the picture as it is stored.

    Args:
        annotations: the JSON file.
        images: the folder of the images named in it.

    Raises:
        InputError: the file is not in COCO's format (the message names the entry and its fault), ids are repeated or
            unknown, a box's corners are in the wrong order, or an image is missing, has another size or lies outside
            the folder.
    """
    annotations, images = Path(annotations), Path(images)
    content = _content(annotations)
    annotated = "annotations" in content
    content.setdefault("annotations", [])
    categories = sorted(content["categories"], key=lambda category: category["id"])
    numbers = {category["id"]: number for number, category in enumerate(categories)}
    by_image: dict[int | str, list[Entry]] = {image["id"]: [] for image in content["images"]}
    for entry in content["annotations"]:
        for key, known in (("image_id", by_image), ("category_id", numbers)):
            if entry[key] not in known:
                raise InputError(f"{annotations}: annotation {entry['id']} has the unknown {key} {entry[key]!r}.")
        by_image[entry["image_id"]].append(entry)
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    boxes = np.array([entry["bbox"] for entry in content["annotations"]], np.float64).reshape(-1, 4)
    sides = np.array([sizes[entry["image_id"]] for entry in content["annotations"]]).reshape(-1, 2)
    check_units(boxes, sides, annotations)
    repairs = BoxRepairs(annotations)
    photos = tuple(_photo(image, by_image[image["id"]], numbers, images, repairs) for image in content["images"])
    check_files(photos, annotations)
    photos = with_orientations(photos, annotations)
    repairs.report()
    names = tuple(str(category["name"]) for category in categories)
    return DetectionData(annotations.stem, names, photos, tuple(numbers), content, annotated)


def coco_entries(
    image: int | str, objects: Truths, categories: Sequence[int | str], areas: Iterable[float] | None = None
) -> list[Entry]:
    """The objects of an image as entries of the annotations in COCO's file, but for their ids.

    Args:
        image: its id.
        objects: ignored ones become crowds.
        categories: the category id of each class.
        areas: in square pixels; by default those of the boxes.
    """
    sizes = area(objects.boxes) if areas is None else areas
    rows = zip(objects.boxes.tolist(), objects.classes, sizes, objects.ignored, strict=True)
    return [
        {
            "image_id": image, "category_id": categories[number], "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": float(size), "iscrowd": int(ignored),
        }
        for (x1, y1, x2, y2), number, size, ignored in rows
    ]  # fmt: skip


def coco_content(photos: Sequence[Photo], classes: Sequence[str], names: Sequence[str]) -> dict[str, list[Entry]]:
    """The content of a COCO file of ``photos``: ids are their positions, and categories are counted from 1.

    Args:
        photos: with their objects.
        classes: class names.
        names: the file name of each photo.
    """
    categories = range(1, len(classes) + 1)
    entries = (entry for place, photo in enumerate(photos) for entry in coco_entries(place, photo.objects, categories))
    return {
        "images": [
            {"id": place, "file_name": name, "height": photo.height, "width": photo.width}
            for place, (photo, name) in enumerate(zip(photos, names, strict=True))
        ],
        "categories": [{"id": number, "name": name} for number, name in zip(categories, classes, strict=True)],
        "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
    }


def _content(path: Path) -> dict[str, list[Entry]]:
    """The file's lists, each entry with valid fields and a unique id."""
    content = read_json(path, object_hook=_reduced)
    for part, checks in FIELDS.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if part == "annotations" and part not in content:
            continue
        if not isinstance(entries, list):
            raise InputError(f"{path} is not in COCO's format: it has no list of {part}.")
        if part == "images" and not entries:
            raise InputError(f"{path} lists no images: give a file that lists photos, with their objects.")
        for number, entry in enumerate(entries):
            _check_entry(path, part, number, entry, checks)
        counts = Counter(entry["id"] for entry in entries)
        repeated = [identifier for identifier, count in counts.items() if count > 1]
        if repeated:
            raise InputError(f"{path} has the id {repeated[0]!r} twice in its {part}: make the ids unique.")
        if len({isinstance(identifier, str) for identifier in counts}) > 1:
            raise InputError(f"{path} has both numbers and names as ids in its {part}: use one or the other.")
    return content


def _check_entry(path: Path, part: str, number: int, entry: Any, checks: dict[str, Check]) -> None:
    """Raise :class:`InputError` naming the entry if it lacks a field or a value is not allowed."""
    if not isinstance(entry, dict):
        raise InputError(f"{path} is not in COCO's format: number {number} of its {part} has no {next(iter(checks))}.")
    for field, (allowed, words) in checks.items():
        if field in entry and allowed(entry[field]):
            continue
        identifier, is_id = entry.get("id"), checks["id"][0]
        name = f"{identifier if is_id(identifier) else f'number {number}'} of its {part}"
        if field not in entry:
            raise InputError(f"{path} is not in COCO's format: {name} has no {field}.")
        shown = repr(entry[field])
        raise InputError(
            f"{path} is not in COCO's format: {name} has the {field} "
            f"{shown if len(shown) <= MAX_SHOWN else f'{shown[:MAX_SHOWN]} ...'}, not {words}."
        )


def _reduced(entry: Entry) -> Entry:
    """A JSON object as soon as it is read, without the outlines that are most of COCO's files."""
    entry.pop("segmentation", None)
    if "category_id" in entry:
        entry.setdefault("iscrowd", 0)  # the scorer needs it, and data sets other than COCO rarely have it
    return entry


def _photo(image: Entry, entries: list[Entry], numbers: dict, images: Path, repairs: BoxRepairs) -> Photo:
    corners = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    boxes, kept = repairs.clip(f"image {image['id']}", corners, image["height"], image["width"])
    classes = np.array([numbers[entry["category_id"]] for entry in entries], np.int64)
    crowds = np.array([entry["iscrowd"] == 1 for entry in entries], bool)
    file = path_below(images, image["file_name"], repairs.source)
    return Photo(image["id"], file, image["height"], image["width"], Truths(boxes, classes, crowds).select(kept))
