"""Data sets in COCO's format: a JSON file of annotations and a folder of images."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.photo_files import examined
from keras_resnet.detection.photos import NAMED, SIDEWAYS, DetectionData, Mending, Photo, check_files
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
    stays as it is, but for ``iscrowd``, which is 0 where there is none, and segmentations, which are not kept. A file
    without ``annotations``, as COCO's image_info files of its test parts, gives photos without objects.

    A photo whose EXIF orientation exchanges its sides is turned if the file gives its size so; otherwise boxes are of
    the picture as it is stored.

    Args:
        annotations: the JSON file.
        images: the folder of the images it names.

    Raises:
        InputError: the file is not COCO's, ids are double or unknown, boxes are in the wrong order, or images are
            missing or of another size.
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
    photos = _as_annotated(photos, annotations)
    mending.report()
    names = tuple(str(category["name"]) for category in categories)
    return DetectionData(annotations.stem, names, photos, tuple(numbers), content, annotated=annotated)


def _content(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(), object_hook=_for_boxes)
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


def _for_boxes(entry: dict) -> dict:
    """An object of the file as it is read: outlines, most of COCO's files, are let go of one by one."""
    entry.pop("segmentation", None)
    if "category_id" in entry:
        entry.setdefault("iscrowd", 0)  # the scorer asks for it, and most data but COCO's own has none
    return entry


def _as_annotated(photos: tuple[Photo, ...], source: Path) -> tuple[Photo, ...]:
    """``photos`` with the EXIF orientation that the size in the file asks for."""
    found, other, unclear = [], [], []
    for photo, (height, width, orientation, _) in zip(photos, examined([p.file for p in photos]).tolist(), strict=True):
        given = (photo.height, photo.width)
        if orientation in SIDEWAYS and given == (width, height) and height != width:
            photo = replace(photo, orientation=orientation)
        elif height and given != (height, width):
            other.append(f"{photo.file} is {width} x {height} and not {photo.width} x {photo.height}")
        elif orientation > 1 and (orientation not in SIDEWAYS or height == width):
            unclear.append(str(photo.file))
        found.append(photo)
    if other:
        raise InputError(
            f"{source} gives {len(other):,} images another size than their files have: {'; '.join(other[:NAMED])}. "
            "Their boxes may be elsewhere too: annotate the files as they are, or put their sizes right."
        )
    if unclear:
        print(
            f"{source}: {len(unclear):,} photos have an EXIF orientation that keeps their size, such as {unclear[0]}: "
            "their boxes are taken for those of the picture as it is stored",
            file=sys.stderr,
        )
    return tuple(found)


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
