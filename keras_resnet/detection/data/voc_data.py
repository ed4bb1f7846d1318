"""PASCAL VOC's folders: an XML file and a JPEG file for each image, and lists of images."""

import os
import xml.etree.ElementTree as ElementTree
import xml.parsers.expat as expat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_resnet.data.decoding import MAX_PIXELS
from keras_resnet.data.reading import read_regular, read_text
from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.data.annotation_checks import BoxRepairs, check_files, check_reachable, path_below
from keras_resnet.detection.data.photo_files import unannotated, with_orientations
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.detection.data.voc_sets import Part
from keras_resnet.errors import InputError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
MAX_MISMATCHED = 0.01  # of the photos may differ from their annotated size, with a warning
INCLUSIVE_FROM_1 = (-1, -1, 0, 0)  # added to inclusive corners counted from 1, gives the corners of an area
PUBLIC_TESTS = ("VOC2007",)  # years whose test objects are published; the server keeps those of later years


def open_voc(devkit: Path, parts: Sequence[Part]) -> DetectionData:
    """The photos and objects of parts of VOC; difficult objects are ignored objects.

    The test parts of later years than 2007 give photos without objects.

    Args:
        devkit: the folder of ``VOC2007`` and ``VOC2012``.
        parts: folders of years, and lists, such as ``(("VOC2007", "test"),)`` or ``voc_sets.TRAINING_SETS["07+12"]``.

    Raises:
        InputError: files are missing, not in VOC's format, or name other classes.
    """
    devkit = Path(devkit)
    photos, annotated = [], True
    for year, subset in parts:
        repairs = BoxRepairs(devkit / year)
        path = devkit / year / "ImageSets" / "Main" / f"{subset}.txt"
        check_reachable(path)
        if not os.path.isfile(path):
            raise InputError(f"There is no {path}: give the folder that holds {year} as the VOC archives unpack.")
        for name in (line.split()[0] for line in read_text(path).splitlines() if line.strip()):
            annotation = path_below(devkit / year / "Annotations", f"{name}.xml", path)
            image = path_below(devkit / year / "JPEGImages", f"{name}.jpg", path)
            if subset == "test" and year not in PUBLIC_TESTS:
                annotated = False
                photos.append(unannotated(name, image))
            else:
                photos.append(read_annotation(name, annotation, image, CLASSES, INCLUSIVE_FROM_1, repairs))
        repairs.report()
    check_files(photos, devkit)
    name = "+".join(f"{year}-{subset}" for year, subset in parts)
    return DetectionData(name, CLASSES, with_orientations(photos, devkit, MAX_MISMATCHED), annotated=annotated)


class UnknownClass(InputError):
    """An annotation names a class that is not in the list."""


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file.

    Raises:
        InputError: the file cannot be read.
        ElementTree.ParseError: it is not XML, or declares a document type: annotations need no entities, which could
            name other files or expand to more than memory holds.
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


def read_annotation(
    name: str, path: Path, image: Path, classes: Sequence[str], shift: tuple[int, ...], repairs: BoxRepairs
) -> Photo:
    """One photo and its objects from an XML file.

    Args:
        name: the photo's id.
        path: the XML file.
        image: the photo's file.
        classes: as the file names them.
        shift: is added to the corners of each box.
        repairs: clips the boxes.

    Raises:
        InputError: the file is missing, not in VOC's format, or names a class that is not among ``classes``.
    """
    try:
        root = read_xml(path)
        height, width = (int(root.findtext(f"size/{side}", "")) for side in ("height", "width"))
        if not (0 < height <= MAX_PIXELS and 0 < width <= MAX_PIXELS):
            raise ValueError(f"its picture is {width} x {height}")
        objects = root.findall("object")
        names = [element.findtext("name", "") for element in objects]
        difficult = np.array([element.findtext("difficult") == "1" for element in objects], bool)
        corners = [
            [float(element.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
            for element in objects
        ]
    except InputError:
        raise
    except (ElementTree.ParseError, TypeError, ValueError, LookupError) as error:  # of a field or an encoding
        raise InputError(f"{path} is not an annotation file of VOC's: {str(error)[:200]}.") from error
    unknown = [class_name for class_name in names if class_name not in classes]
    if unknown:
        raise UnknownClass(f"{path} has an object of the unknown class {unknown[0][:100]!r}.")
    shifted = np.array(corners, np.float64).reshape(-1, 4) + shift
    boxes, kept = repairs.clip(path.name, shifted, height, width)
    truths = Truths(boxes, np.array([classes.index(class_name) for class_name in names], np.int64), difficult)
    return Photo(name, image, height, width, truths.select(kept))
