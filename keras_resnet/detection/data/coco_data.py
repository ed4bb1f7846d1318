"""Data sets in COCO's format: a JSON file of annotations and a folder of images."""

from collections import Counter
from pathlib import Path

import numpy as np

from keras_resnet.data.augment import MAX_PIXELS
from keras_resnet.data.reading import read_json
from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.data.photo_files import as_annotated
from keras_resnet.detection.data.photos import LONGEST, DetectionData, Mending, Photo, below, check_files
from keras_resnet.errors import InputError

MOST = 2**53  # of a number: whole ones up to it are exact as float64
SHOWN = 60  # of a wrong value


def _number(value) -> bool:
    return type(value) in (int, float) and -MOST <= value <= MOST


def _whole(value) -> bool:
    return _number(value) and value == int(value)


def _text(value) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


def _side(value) -> bool:
    return _whole(value) and 0 < value <= MAX_PIXELS


def _box(value) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_number, value))


ID = (lambda value: _whole(value) or _text(value), "a whole number or a name")
SIDE = (_side, "a number of pixels")
NAME = (lambda value: _text(value) or _whole(value), f"a name of at most {LONGEST:,} characters")
PARTS = {  # what a file must hold: the fields used of each entry, which values they may have, and these in words
    "images": {"id": ID, "file_name": (_text, NAME[1]), "height": SIDE, "width": SIDE},
    "categories": {"id": ID, "name": NAME},
    "annotations": {
        "id": ID,
        "image_id": ID,
        "category_id": ID,
        "bbox": (_box, "4 numbers"),
        "area": (_number, "a number"),
        "iscrowd": (lambda value: value in (0, 1), "0 or 1"),
    },
}


def open_coco(annotations: Path, images: Path) -> DetectionData:
    """Photos and objects of a COCO annotation file.

    Category ids may have gaps: classes are numbered in the order of the ids. Crowd regions are ignored objects. Boxes
    are clipped to their image, and those without area are left out, with a counted warning; the scorer's ``dataset``
    stays as it is, but for ``iscrowd``, which is 0 where there is none, and segmentations, which are not kept. A file
    without ``annotations``, as COCO's image_info files of its test parts, gives photos without objects.

    A photo whose EXIF orientation exchanges its sides is turned if the file gives its size so; otherwise boxes are of
    the picture as it is stored.

    Args:
        annotations: the JSON file.
        images: the folder of the images it names.

    Raises:
        InputError: the file is not COCO's (it says which entry and what is wrong), ids are double or unknown, boxes
            are in the wrong order, or images are missing, of another size or named outside the folder.
    """
    annotations, images = Path(annotations), Path(images)
    content = _content(annotations)
    annotated = "annotations" in content
    content.setdefault("annotations", [])
    categories = sorted(content["categories"], key=lambda category: category["id"])
    numbers = {category["id"]: number for number, category in enumerate(categories)}
    by_image: dict[int, list[dict]] = {image["id"]: [] for image in content["images"]}
    for entry in content["annotations"]:
        for key, known in (("image_id", by_image), ("category_id", numbers)):
            if entry[key] not in known:
                raise InputError(f"{annotations}: annotation {entry['id']} has the unknown {key} {entry[key]!r}.")
        by_image[entry["image_id"]].append(entry)
    mending = Mending(annotations)
    photos = tuple(_photo(image, by_image[image["id"]], numbers, images, mending) for image in content["images"])
    check_files(photos, annotations)
    photos = as_annotated(photos, annotations)
    mending.report()
    names = tuple(str(category["name"]) for category in categories)
    return DetectionData(annotations.stem, names, photos, tuple(numbers), content, annotated=annotated)


def _content(path: Path) -> dict:
    content = read_json(path, object_hook=_for_boxes)
    for part, fields in PARTS.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if part == "annotations" and part not in content:
            continue
        if not isinstance(entries, list):
            raise InputError(f"{path} is not in COCO's format: it has no list of {part}.")
        for number, entry in enumerate(entries):
            _check_entry(path, part, number, entry, fields)
        counts = Counter(entry["id"] for entry in entries)
        twice = [each for each, count in counts.items() if count > 1]
        if twice:
            raise InputError(f"{path} has the id {twice[0]!r} twice in its {part}: make the ids unique.")
        if len({isinstance(each, str) for each in counts}) > 1:
            raise InputError(f"{path} has numbers and names for ids in its {part}: give them one kind.")
    return content


def _check_entry(path, part, number, entry, fields) -> None:
    """Raise :class:`InputError` saying which entry lacks a field, or has a value of the wrong type."""
    if not isinstance(entry, dict):
        raise InputError(f"{path} is not in COCO's format: number {number} of its {part} has no {next(iter(fields))}.")
    for field, (good, words) in fields.items():
        if field in entry and good(entry[field]):
            continue
        own, known = entry.get("id"), PARTS[part]["id"][0]
        called = f"{own if known(own) else f'number {number}'} of its {part}"
        if field not in entry:
            raise InputError(f"{path} is not in COCO's format: {called} has no {field}.")
        shown = repr(entry[field])
        raise InputError(
            f"{path} is not in COCO's format: {called} has the {field} "
            f"{shown if len(shown) <= SHOWN else f'{shown[:SHOWN]} ...'}, not {words}."
        )


def _for_boxes(entry: dict) -> dict:
    """An object of the file as it is read: outlines, most of COCO's files, are let go of one by one."""
    entry.pop("segmentation", None)
    if "category_id" in entry:
        entry.setdefault("iscrowd", 0)  # the scorer asks for it, and most data but COCO's own has none
    return entry


def _photo(image, entries, numbers, images, mending) -> Photo:
    what = f"image {image['id']}"
    boxes = []
    for entry in entries:
        x, y, width, height = map(float, entry["bbox"])
        boxes.append([x, y, x + width, y + height])
    boxes, kept = mending.mend(what, boxes, image["height"], image["width"])
    classes = np.array([numbers[entry["category_id"]] for entry in entries], np.int64)
    crowd = np.array([bool(entry.get("iscrowd", 0)) for entry in entries], bool)
    objects = Truths(boxes[kept], classes[kept], crowd[kept])
    file = below(images, image["file_name"], mending.source)
    return Photo(image["id"], file, image["height"], image["width"], objects)
