"""ImageNet DET: XML files like VOC's, classes by WordNet id, and parts of the validation set by list (Table 12)."""

from dataclasses import replace
from pathlib import Path

from keras_resnet.data.reading import read_text
from keras_resnet.detection.data.photo_files import as_annotated
from keras_resnet.detection.data.photos import DetectionData, Mending, below, check_files, unannotated
from keras_resnet.detection.data.voc_data import MISMEASURED, read_photo_file
from keras_resnet.errors import InputError

INCLUSIVE_FROM_0 = (0, 0, 1, 1)


def open_det(root: Path, names: Path, classes: Path) -> DetectionData:
    """The photos of ImageNet DET that a list names, such as val1 or val2; those of test.txt have no objects.

    A photo's index, which submission files name it by, is the number behind it, as in the development kit's val.txt and
    test.txt (its readme, 2.2.2); without one it is the number of the line.

    Args:
        root: the folder with ``Annotations/DET/`` and ``Data/DET/``, or with those of ``ILSVRC/``.
        names: a text file, a photo a line: ``val/ILSVRC2012_val_00000001``; without a folder it is one of ``val/``,
            or of ``test/`` if the file is test.txt.
        classes: a text file, a class a line: its WordNet id and its name, ``n02672831 accordion``; in the order of the
            development kit's ids if submission files are to be written.

    Raises:
        InputError: files are missing, not as described, or have objects of other classes.
    """
    root, names, classes = Path(root), Path(names), Path(classes)
    root = root / "ILSVRC" if (root / "ILSVRC").is_dir() else root
    entries = [line.split(maxsplit=1) for line in _lines(classes)]
    if any(len(entry) < 2 for entry in entries):
        raise InputError(f"{classes} must have a class a line: its WordNet id and its name.")
    ids = tuple(entry[0] for entry in entries)
    mending, photos = Mending(names), []
    test = names.stem == "test"
    for number, line in enumerate(_lines(names), start=1):
        name, *index = line.split()
        if index and not (index[0].isascii() and index[0].isdigit() and len(index[0]) < 10):
            raise InputError(f"{names} has {index[0][:99]!r} behind {name[:99]}, where the number of the image stands.")
        place = Path(name) if "/" in name else Path("test" if test else "val") / name
        annotation = below(root / "Annotations" / "DET", f"{place}.xml", names)
        image = below(root / "Data" / "DET", f"{place}.JPEG", names)
        if test:
            photo = unannotated(place.name, image)
        else:
            photo = read_photo_file(place.name, annotation, image, ids, INCLUSIVE_FROM_0, mending)
        photos.append(replace(photo, index=int(index[0]) if index else number))
    check_files(photos, names)
    annotated = as_annotated(photos, names, MISMEASURED)
    mending.report()
    return DetectionData(names.stem, tuple(entry[1].strip() for entry in entries), annotated, annotated=not test)


def _lines(path: Path) -> list[str]:
    return [line for line in read_text(path).splitlines() if line.strip()]
