"""Data sets in COCO's format: a JSON file of annotations and a folder of images."""

import json
from collections import Counter
from pathlib import Path

from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.photos import DetectionData, Mending, Photo, check_files
from keras_resnet.errors import InputError

PARTS = {  # what a file must hold, and the fields used of each entry
    "images": ("id", "file_name", "height", "width"),
    "categories": ("id", "name"),
    "annotations": ("id", "image_id", "category_id", "bbox", "area"),
}


def open_coco(annotations: Path, images: Path) -> DetectionData:
    """Photos and objects of a COCO annotation file.

    Category ids may have gaps: classes are numbered in the order of the ids. Crowd regions are ignored objects. Boxes
    are clipped to their image, and those without area are left out, with a counted warning; the scorer's ``dataset``
    stays as it is. A file without ``annotations``, as COCO's image_info files of its test parts, gives photos without
    objects.

    Args:
        annotations: the JSON file.
        images: the folder of the images it names.

    Raises:
        InputError: the file is not COCO's, ids are double or unknown, boxes are in the wrong order, or images missing.
    """
    annotations, images = Path(annotations), Path(images)
    content = _content(annotations)
    annotated = "annotations" in content
    content.setdefault("annotations", [])
    categories = sorted(content["categories"], key=lambda category: category["id"])
    numbers = {category["id"]: number for number, category in enumerate(categories)}
    by_image = {image["id"]: [] for image in content["images"]}
    for entry in content["annotations"]:
        for key, known in (("image_id", by_image), ("category_id", numbers)):
            if entry[key] not in known:
                raise InputError(f"{annotations}: annotation {entry['id']} has the unknown {key} {entry[key]!r}.")
        by_image[entry["image_id"]].append(entry)
    mending = Mending(annotations)
    photos = tuple(_photo(image, by_image[image["id"]], numbers, images, mending) for image in content["images"])
    check_files(photos, annotations)
    mending.report()
    names = tuple(str(category["name"]) for category in categories)
    return DetectionData(annotations.stem, names, photos, tuple(numbers), content, annotated=annotated)


def _content(path: Path) -> dict:
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: {error}.") from error
    for part, fields in PARTS.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if part == "annotations" and isinstance(content, dict) and part not in content:
            continue
        if not isinstance(entries, list):
            raise InputError(f"{path} is not in COCO's format: it has no list of {part}.")
        for number, entry in enumerate(entries):
            lacking = [field for field in fields if not isinstance(entry, dict) or field not in entry]
            if lacking:
                called = entry.get("id", f"number {number}") if isinstance(entry, dict) else f"number {number}"
                raise InputError(f"{path} is not in COCO's format: {called} of its {part} has no {lacking[0]}.")
        twice = [each for each, count in Counter(entry["id"] for entry in entries).items() if count > 1]
        if twice:
            raise InputError(f"{path} has the id {twice[0]!r} twice in its {part}: make the ids unique.")
    return content


def _photo(image, entries, numbers, images, mending) -> Photo:
    what = f"image {image['id']}"
    boxes = []
    for entry in entries:
        if not isinstance(entry["bbox"], list) or len(entry["bbox"]) != 4:
            raise InputError(
                f"{mending.source}: annotation {entry['id']} has the box {entry['bbox']!r}, not 4 numbers."
            )
        x, y, width, height = map(float, entry["bbox"])
        boxes.append([x, y, x + width, y + height])
    boxes, kept = mending.mend(what, boxes, image["height"], image["width"])
    classes = [numbers[entry["category_id"]] for entry, keep in zip(entries, kept, strict=True) if keep]
    crowd = [bool(entry.get("iscrowd", 0)) for entry, keep in zip(entries, kept, strict=True) if keep]
    objects = Truths(boxes[kept], classes, crowd)
    return Photo(image["id"], images / image["file_name"], image["height"], image["width"], objects)
