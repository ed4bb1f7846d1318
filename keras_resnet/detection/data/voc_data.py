"""PASCAL VOC's folders: an XML file and a JPEG an image, and lists of images."""

import os
import xml.etree.ElementTree as ElementTree
import xml.parsers.expat as expat
from pathlib import Path

import numpy as np

from keras_resnet.data.augment import MOST_PIXELS
from keras_resnet.data.reading import read_regular, read_text
from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.data.photo_files import as_annotated
from keras_resnet.detection.data.photos import (
    DetectionData,
    Mending,
    Photo,
    below,
    check_files,
    check_reachable,
    unannotated,
)
from keras_resnet.errors import InputError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
MISMEASURED = 0.01  # of the photos may have another size than their annotation says, which is told
INCLUSIVE_FROM_1 = (-1, -1, 0, 0)  # what makes such corners those of an area in pixels
PUBLIC_TESTS = ("VOC2007",)  # the year whose test part comes with objects; the server keeps those of later years
SETS = {  # the paper's training sets (Sec. 4.3), year and list; and without 2012's val, which can then be scored on
    "07": (("VOC2007", "trainval"),),
    "07+12": (("VOC2007", "trainval"), ("VOC2012", "trainval")),
    "07++12": (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "trainval")),
    "07+12train": (("VOC2007", "trainval"), ("VOC2012", "train")),
    "07++12train": (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "train")),
}


def open_voc(devkit: Path, parts: tuple[tuple[str, str], ...]) -> DetectionData:
    """Photos and objects of parts of VOC; difficult objects are ignored ones.

    Of later tests than 2007's the photos come without objects.

    Args:
        devkit: the folder of ``VOC2007`` and ``VOC2012``.
        parts: years' folders and lists, such as ``(("VOC2007", "test"),)`` or ``SETS["07+12"]``.

    Raises:
        InputError: files are missing, not VOC's, or name other classes.
    """
    devkit = Path(devkit)
    photos, annotated = [], True
    for year, listed in parts:
        mending = Mending(devkit / year)
        path = devkit / year / "ImageSets" / "Main" / f"{listed}.txt"
        check_reachable(path)
        if not os.path.isfile(path):
            raise InputError(f"There is no {path}: give the folder that holds {year} as the VOC archives unpack.")
        for name in (line.split()[0] for line in read_text(path).splitlines() if line.strip()):
            annotation = below(devkit / year / "Annotations", f"{name}.xml", path)
            image = below(devkit / year / "JPEGImages", f"{name}.jpg", path)
            if listed == "test" and year not in PUBLIC_TESTS:
                annotated = False
                photos.append(unannotated(name, image))
            else:
                photos.append(read_photo_file(name, annotation, image, CLASSES, INCLUSIVE_FROM_1, mending))
        mending.report()
    check_files(photos, devkit)
    name = "+".join(f"{year}-{listed}" for year, listed in parts)
    return DetectionData(name, CLASSES, as_annotated(photos, devkit, MISMEASURED), annotated=annotated)


class UnknownClass(InputError):
    """An annotation names a class that is not in the list."""


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file.

    Raises:
        InputError: the file cannot be read.
        ElementTree.ParseError: it is no XML, or declares a document type: annotations need no entities, which could
            name other files, or expand to more than fits in memory.
    """

    def refuse(*_):
        raise ElementTree.ParseError("it declares a document type")

    content = read_regular(path)[0]
    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    try:
        guard.Parse(content, True)
    except expat.ExpatError as error:
        raise ElementTree.ParseError(str(error)) from error
    return ElementTree.fromstring(content)


def read_photo_file(name, path: Path, image: Path, classes, shift, mending) -> Photo:
    """One photo and its objects from an XML file; ``shift`` is added to its corners.

    Raises:
        InputError: a file that is missing, not VOC's, or names a class that is not among ``classes``.
    """
    try:
        root = read_xml(path)
        height, width = (int(root.findtext(f"size/{side}", "")) for side in ("height", "width"))
        if not (0 < height <= MOST_PIXELS and 0 < width <= MOST_PIXELS):
            raise ValueError(f"its picture is {width} x {height}")
        found = [
            (
                each.findtext("name"),
                [float(each.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")],
                each.findtext("difficult") == "1",
            )
            for each in root.findall("object")
        ]
    except InputError:
        raise
    except (ElementTree.ParseError, TypeError, ValueError, LookupError) as error:  # of a field or an encoding
        raise InputError(f"{path} is no annotation of VOC's: {str(error)[:200]}.") from error
    for called, _, _ in found:
        if called not in classes:
            raise UnknownClass(f"{path} has an object of the unknown class {str(called)[:100]!r}.")
    corners = [[corner + by for corner, by in zip(box, shift, strict=True)] for _, box, _ in found]
    boxes, kept = mending.mend(path.name, corners, height, width)
    numbers = np.array([classes.index(called) for called, _, _ in found], np.int64)
    difficult = np.array([flag for _, _, flag in found], bool)
    return Photo(name, image, height, width, Truths(boxes[kept], numbers[kept], difficult[kept]))
