"""ImageNet DET: XML files like VOC's, classes by WordNet id, and parts of the validation set by list (Table 12)."""

from dataclasses import replace
from pathlib import Path

from keras_resnet.data.reading import read_text
from keras_resnet.detection.data.annotation_checks import BoxRepairs, check_files, path_below
from keras_resnet.detection.data.photo_files import unannotated, with_orientations
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.data.voc_data import MAX_MISMATCHED, read_annotation
from keras_resnet.errors import InputError

INCLUSIVE_FROM_0 = (0, 0, 1, 1)  # added to inclusive corners counted from 0, gives the corners of an area


def open_det(root: Path, names: Path, classes: Path) -> DetectionData:
    """The photos of ImageNet DET in a list, such as val1 or val2; those of test.txt have no objects.

    The image index, which submission files use, is the number after a photo's name, as in the development kit's val.txt
    and test.txt (its readme, 2.2.2), and otherwise the number of the line.

    Args:
        root: the folder with ``Annotations/DET/`` and ``Data/DET/``, or with ``ILSVRC/`` that holds both.
        names: a text file with a photo on each line, ``val/ILSVRC2012_val_00000001``. A name without a folder is in
            ``val/``, or in ``test/`` if the file is test.txt.
        classes: a text file with a class on each line, its WordNet id and its name, ``n02672831 accordion``. Submission
            files need the order of the development kit's ids.

    Raises:
        InputError: files are missing, not as described, or have objects of other classes.
    """
    root, names, classes = Path(root), Path(names), Path(classes)
    root = root / "ILSVRC" if (root / "ILSVRC").is_dir() else root
    entries = [line.split(maxsplit=1) for line in _lines(classes)]
    if any(len(entry) < 2 for entry in entries):
        raise InputError(f"{classes} must have a class on each line: its WordNet id and its name.")
    ids = tuple(entry[0] for entry in entries)
    repairs, photos = BoxRepairs(names), []
    test = names.stem == "test"
    for number, line in enumerate(_lines(names), start=1):
        name, *index = line.split()
        if index and not (index[0].isascii() and index[0].isdigit() and len(index[0]) < 10):
            raise InputError(f"{names} has {index[0][:99]!r} after {name[:99]}, not the index of the image.")
        place = Path(name) if "/" in name else Path("test" if test else "val") / name
        annotation = path_below(root / "Annotations" / "DET", f"{place}.xml", names)
        image = path_below(root / "Data" / "DET", f"{place}.JPEG", names)
        if test:
            photo = unannotated(place.name, image)
        else:
            photo = read_annotation(place.name, annotation, image, ids, INCLUSIVE_FROM_0, repairs)
        photos.append(replace(photo, index=int(index[0]) if index else number))
    check_files(photos, names)
    oriented = with_orientations(photos, names, MAX_MISMATCHED)
    repairs.report()
    return DetectionData(names.stem, tuple(entry[1].strip() for entry in entries), oriented, annotated=not test)


def _lines(path: Path) -> list[str]:
    return [line for line in read_text(path).splitlines() if line.strip()]
