"""Photos with boxes in formats that state no sizes: how each source's rows become the photos of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.detection.boxes import NO_OBJECTS, Truths
from keras_resnet.detection.data.annotation_checks import BoxRepairs, check_files
from keras_resnet.detection.data.coco_data import coco_content
from keras_resnet.detection.data.photo_files import examine_files
from keras_resnet.detection.data.photos import SIDEWAYS, DetectionData, Photo
from keras_resnet.errors import InputError
from keras_resnet.wording import are, counted

MAX_PHOTOS = 5_000_000  # of a part


@dataclass(frozen=True)
class Annotated:
    """One photo as a file of annotations has it.

    Fields:
        file: the photo.
        boxes: ``x1, y1, x2, y2`` ``[objects, 4]``, in pixels or, with ``shares``, as shares of the picture's sides.
        classes: their numbers ``[objects]``.
        source: where the boxes stand, as messages name it.
        shares: whether boxes are shares of the sides.
        size: width and height in pixels that the annotations state; None if they state none.
    """

    file: Path
    boxes: np.ndarray
    classes: np.ndarray
    source: str
    shares: bool = False
    size: tuple[int, int] | None = None


def own_data(name: str, source: Path, classes: tuple[str, ...], listed: Sequence[Annotated]) -> DetectionData:
    """The photos of ``listed`` as a part called ``name``, with the content of a COCO file for COCO's scorer.

    Boxes are of the picture as a viewer shows it, turned by its EXIF orientation, as the programs that write these
    formats show it. Files that are no pictures are named and left out; the boxes of the others are clipped to them.

    Raises:
        InputError: a photo is missing, has another size than stated, or nothing is left.
    """
    if len(listed) > MAX_PHOTOS:
        raise InputError(f"{source} lists more than {MAX_PHOTOS:,} photos: divide it.")
    repairs = BoxRepairs(source)
    photos: list[Photo] = []
    unreadable: list[Path] = []
    check_files([Photo(0, row.file, 1, 1, NO_OBJECTS) for row in listed], source)
    for row, (height, width, orientation, _) in zip(
        listed, examine_files([row.file for row in listed]).tolist(), strict=True
    ):
        if not height:
            unreadable.append(row.file)
            continue
        if orientation in SIDEWAYS:
            height, width = width, height
        if row.size is not None and row.size != (width, height):
            raise InputError(
                f"{row.source}: {row.file} is {width} x {height} and not {row.size[0]} x {row.size[1]}: its boxes may "
                "be wrong too, so annotate this file, or correct the size."
            )
        boxes = row.boxes * [width, height, width, height] if row.shares else row.boxes
        boxes, kept = repairs.clip(row.source, boxes, height, width)
        objects = Truths(boxes, row.classes).select(kept)
        photos.append(Photo(len(photos), row.file, height, width, objects, orientation))
    repairs.report()
    if not photos:
        raise InputError(f"{source} names no photo that can be read for {name}: check where its photos lie.")
    if unreadable:
        print(
            f"{source}: {counted(len(unreadable), 'file')} {are(len(unreadable))} no picture and "
            f"{are(len(unreadable))} left out, such as {unreadable[0]}",
            flush=True,
        )
    categories = tuple(range(1, len(classes) + 1))
    content = coco_content(photos, classes, [str(photo.file) for photo in photos])
    return DetectionData(name, classes, tuple(photos), categories, content)
