"""ImageNet DET: XML files like VOC's, classes by WordNet id, and parts of the validation set by list (Table 12)."""

from pathlib import Path

from keras_resnet.detection.photos import DetectionData, Mending, check_files
from keras_resnet.detection.voc_data import read_photo_file
from keras_resnet.errors import InputError

INCLUSIVE_FROM_0 = (0, 0, 1, 1)


def open_det(root: Path, names: Path, classes: Path) -> DetectionData:
    """The photos of ImageNet DET that a list names, such as val1 or val2.

    Args:
        root: the folder with ``Annotations/DET/`` and ``Data/DET/``, or with those of ``ILSVRC/``.
        names: a text file, a photo a line: ``val/ILSVRC2012_val_00000001``; without a folder it is one of ``val/``.
        classes: a text file, a class a line: its WordNet id and its name, ``n02672831 accordion``.

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
    for line in _lines(names):
        name = line.split()[0]
        place = Path(name) if "/" in name else Path("val") / name
        annotation = root / "Annotations" / "DET" / f"{place}.xml"
        image = root / "Data" / "DET" / f"{place}.JPEG"
        photos.append(read_photo_file(place.name, annotation, image, ids, INCLUSIVE_FROM_0, mending))
    check_files(photos, names)
    mending.report()
    return DetectionData(names.stem, tuple(entry[1].strip() for entry in entries), tuple(photos))


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
