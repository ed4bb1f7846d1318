"""ILSVRC's localization data: photos of one class each, and XML files with the boxes of its instances."""

import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from keras_resnet.data.reading import list_folder, read_text
from keras_resnet.detection.data.annotation_checks import MAX_NAMED, BoxRepairs
from keras_resnet.detection.data.det_data import INCLUSIVE_FROM_0
from keras_resnet.detection.data.photo_files import unannotated, with_orientations
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.detection.data.voc_data import MAX_MISMATCHED, UnknownClass, read_annotation
from keras_resnet.errors import InputError
from keras_resnet.localization.one_class import one_class

NAMES = "LOC_synset_mapping.txt"  # of Kaggle's archive: a class a line, its WordNet id and its name
ENDINGS = (".JPEG", ".jpg", ".jpeg", ".png")


def open_loc(root: Path, part: str) -> DetectionData:
    """The photos of ``"train"``, ``"val"`` or ``"test"`` with their boxes, of one class each.

    ``root`` holds ``ILSVRC/Annotations/CLS-LOC`` and ``ILSVRC/Data/CLS-LOC``, as the archive unpacks, or what is in
    ``ILSVRC``. Training photos and their XML files lie in a folder for each class, the others in one folder for the
    part. Classes are those of ``LOC_synset_mapping.txt`` in ``root``, else of the training folders, in order.

    Photos that cannot be used are left out, and what is wrong with them is counted and named on standard error: those
    without an XML file or without boxes in it, XML that does not parse or declares entities, class names that are not
    in the list; and boxes of another class than the photo's are left out.

    Raises:
        InputError: there is nothing of the kind, or no photo that can be used.
    """
    root = Path(root)
    names = root / NAMES
    root = root / "ILSVRC" if (root / "ILSVRC").is_dir() else root
    photos_below, boxes_below = (root / kind / "CLS-LOC" for kind in ("Data", "Annotations"))
    ids = _classes(names, photos_below / "train")
    files = _files(photos_below / part, ids if part == "train" else None)
    if part == "test":
        photos = tuple(unannotated(file.stem, file) for _, file in files)
        return DetectionData(part, ids, photos, annotated=False)
    left, repairs = _LeftOut(), BoxRepairs(boxes_below / part)
    usable: list[Photo] = []
    for folder, file in files:
        try:
            usable.append(_photo(file, boxes_below / part / folder / f"{file.stem}.xml", ids, repairs))
        except _Unusable as reason:
            left.note(*reason.args)
    repairs.report()
    left.report(boxes_below / part)
    if not usable:
        raise InputError(f"No photo below {photos_below / part} has boxes below {boxes_below / part}: see the above.")
    return one_class(DetectionData(part, ids, with_orientations(usable, boxes_below / part, MAX_MISMATCHED)))


class _LeftOut:
    """Counts what cannot be used, by what is wrong with it, and names the first of each kind."""

    def __init__(self):
        self.counts: Counter[str] = Counter()
        self.first: dict[str, list[str]] = {}

    def note(self, kind: str, name: object) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= MAX_NAMED:
            self.first.setdefault(kind, []).append(str(name))

    def report(self, source: Path) -> None:
        for kind, count in self.counts.items():
            print(f"{source}: {count:,} {kind}, left out: {'; '.join(self.first[kind])}", file=sys.stderr)


def _classes(names: Path, train: Path) -> tuple[str, ...]:
    """WordNet ids, as classifiers that are trained on such folders call their classes."""
    if os.path.isfile(names):
        return tuple(line.split()[0] for line in read_text(names).splitlines() if line.strip())
    ids = tuple(name for name, is_folder in list_folder(train) if is_folder)
    if not ids:
        raise InputError(f"{train} has no folders of classes, and there is no {names}: unpack ILSVRC's archive there.")
    return ids


def _files(folder: Path, ids: tuple[str, ...] | None) -> list[tuple[str, Path]]:
    """Photos with the folder that is before their names, such as ``"n01440764/"``."""
    folders = [""] if ids is None else [f"{name}/" for name, is_folder in list_folder(folder) if is_folder]
    return [
        (subfolder, folder / subfolder / name)
        for subfolder in folders
        for name, is_folder in list_folder(folder / subfolder)
        if not is_folder and name.endswith(ENDINGS)
    ]


class _Unusable(Exception):
    """A photo that cannot be used: of which kind it is, in words, and what names it."""


def _photo(file: Path, annotation: Path, ids: tuple[str, ...], repairs: BoxRepairs) -> Photo:
    if not os.path.isfile(annotation):
        raise _Unusable("photos without an XML file of their boxes", file)
    try:
        photo = read_annotation(file.stem, annotation, file, ids, INCLUSIVE_FROM_0, repairs)
    except UnknownClass as error:
        raise _Unusable("photos with class names that are not in the list", error) from error
    except InputError as error:
        raise _Unusable("photos whose XML file cannot be used", error) from error
    objects, folder = photo.objects, annotation.parent.name
    if not len(objects.boxes):
        raise _Unusable("photos without boxes in their XML file", annotation)
    if folder in ids:  # a training photo's class is its folder's
        of_folder = objects.classes == ids.index(folder)
        if not of_folder.any():
            raise _Unusable("photos with boxes of another class alone", annotation)
        objects = objects.select(of_folder)
    return replace(photo, objects=objects)
