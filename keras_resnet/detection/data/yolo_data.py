"""YOLO's text files: a line of class and box for each object, and data.yaml, which names parts and classes.

The layouts are those that Ultralytics documents and that Roboflow, CVAT and Label Studio export. Of poses, which are
told by ``kpt_shape`` in data.yaml, the boxes count.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data.gathering import is_image
from keras_resnet.data.reading import list_folder, read_regular, read_text
from keras_resnet.detection.data.annotation_checks import MAX_NAME_LENGTH
from keras_resnet.detection.data.own_boxes import MAX_PHOTOS, Annotated, own_data
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.errors import InputError, shown

CONFIGURATIONS = ("data.yaml", "data.yml", "dataset.yaml")
CLASSES_FILE = "classes.txt"  # of Label Studio, beside images/ and labels/
IMAGES, LABELS = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
PART_KEYS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
MAX_BYTES = 2**20  # of a configuration
MAX_CLASSES = 100_000
MAX_DEPTH = 32  # of folders below that of a part
ROUNDED = 1.01  # the largest share of a side that is a mistake of rounding
BOX_WORDS = 5  # of a line: class and box, before the points of a pose
FORMAT = "a class number, then the box's centre x, centre y, width and height as shares of the sides, from 0 to 1"


def find_yolo(data: Path) -> Path | None:
    """The ``data.yaml`` or ``classes.txt`` of a data set, from its folder or that file; None if it is of neither."""
    if data.suffix in (".yaml", ".yml"):
        return data
    for name in CONFIGURATIONS:
        if os.path.isfile(data / name):
            return data / name
    classes = data / CLASSES_FILE
    return classes if os.path.isfile(classes) and os.path.isdir(data / "images") else None


def open_yolo_parts(file: Path) -> dict[str, Callable[[], DetectionData]]:
    """Functions that open the parts that ``file`` names, by ``"train"``, ``"val"`` and ``"test"``.

    Args:
        file: as :func:`find_yolo` returns it.

    Raises:
        InputError: it is no such file, or names folders that do not exist.
    """
    if file.name == CLASSES_FILE:
        names = tuple(line.strip() for line in read_text(file).splitlines() if line.strip())
        return {"train": partial(_open_part, "train", file, _checked_names(file, names), [file.parent / "images"])}
    content = _configuration(file)
    classes = _class_names(file, content)
    parts: dict[str, Callable[[], DetectionData]] = {}
    for part, keys in PART_KEYS.items():
        entry = next((content[key] for key in keys if content.get(key)), None)
        if entry is None:
            continue
        entries = entry if isinstance(entry, list) else [entry]
        places = [_place(file, content.get("path"), item, part != "test") for item in entries]
        existing = [place for place in places if place is not None]  # Roboflow names test/ even where there is none
        if existing:
            parts[part] = partial(_open_part, part, file, classes, existing, "kpt_shape" in content)
    if not parts:
        raise InputError(f"{file} names no photos: it needs a line such as train: images/train.")
    return parts


def _configuration(file: Path) -> dict[str, Any]:
    import yaml

    content, _ = read_regular(file)
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES:,} bytes, which no data.yaml is: give the right file.")
    try:
        values = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file} is no YAML file ({reason}): write it again.") from error
    if not isinstance(values, dict):
        raise InputError(f"{file} is no data.yaml: it needs lines such as train: images/train and names: [cat, dog].")
    return values


def _class_names(file: Path, content: dict[str, Any]) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise InputError(f"{file} must number its names from 0 without gaps, as in names: {{0: cat, 1: dog}}.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise InputError(f"{file} must list the names of its classes, as in names: [cat, dog].")
    if content.get("nc", len(names)) != len(names):
        raise InputError(f"{file} has another number for nc than its {len(names)} names: correct one of them.")
    if not all(isinstance(name, (str, int, float)) for name in names):  # a list may refer to itself many times over
        raise InputError(f"{file} must list the names of its classes as texts, as in names: [cat, dog].")
    return _checked_names(file, tuple(str(name) for name in names))


def _checked_names(file: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [name for name in names if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable())]
    if wrong or not 0 < len(names) <= MAX_CLASSES:
        raise InputError(f"{file} has no class names, or one that cannot be printed: correct it.")
    if len(set(names)) < len(names):
        raise InputError(f"{file} names the class {shown(max(names, key=names.count))} twice: make the names unique.")
    return names


def _place(file: Path, root: Any, entry: Any, needed: bool) -> Path | None:
    """The folder or list of photos that an entry of a part means; None if it does not exist and is not needed.

    Paths are relative to ``path``, or to the file's folder. Roboflow writes ``../train/images`` for a folder beside the
    file, which Ultralytics takes as it is meant.
    """
    names = [name for name in (root, entry) if name is not None]
    if not all(isinstance(name, str) and "\0" not in name for name in names):
        raise InputError(f"{file} has a path or part that is no text: it must name a folder or a list of photos.")
    bases = [file.parent / root, file.parent] if root else [file.parent]
    for base in bases:
        for name in dict.fromkeys((entry, entry.removeprefix("../"))):
            if os.path.exists(base / name):
                return base / name
    if needed:
        raise InputError(f"{file} names {shown(entry)}, and there is no {bases[-1] / entry}: correct the path.")
    return None


def _open_part(
    part: str, file: Path, classes: tuple[str, ...], places: list[Path], poses: bool = False
) -> DetectionData:
    listed_photos = itertools.chain.from_iterable(map(_photos, places))
    photos = list(dict.fromkeys(itertools.islice(listed_photos, MAX_PHOTOS + 1)))
    if not photos:
        raise InputError(f"There are no photos in {places[0]}, which {file} names for {part}: correct the path.")
    labels = [_label_file(photo) for photo in photos]
    with_labels = [os.path.isfile(label) for label in labels]
    if not any(with_labels):
        raise InputError(
            f"No photo of {places[0]} has its boxes, which belong into such files as {labels[0]}: put them there."
        )
    listed = [
        _annotated(photo, label, len(classes) if exists else 0, poses)
        for photo, label, exists in zip(photos, labels, with_labels, strict=True)
    ]
    return own_data(part, file, classes, listed)


def _photos(place: Path) -> Iterator[Path]:
    """The photos in a folder and the folders below it, or of a list with a path on each line."""
    if place.is_dir():
        yield from _below(place, MAX_DEPTH)
        return
    for line in filter(None, map(str.strip, read_text(place).splitlines())):
        photo = place.parent / line
        older = place.parent / line.removeprefix("data/")  # CVAT's lists began with it
        yield older if not os.path.lexists(photo) and os.path.lexists(older) else photo


def _below(folder: Path, depth: int) -> Iterator[Path]:
    for name, is_folder in list_folder(folder):
        if is_folder:
            if depth and not name.startswith("."):
                yield from _below(folder / name, depth - 1)
        elif is_image(name):
            yield folder / name


def _label_file(photo: Path) -> Path:
    """Where a photo's boxes are: the last ``images`` of its path is ``labels``, and the suffix ``.txt``."""
    return Path(LABELS.join(os.path.abspath(photo).rsplit(IMAGES, 1))).with_suffix(".txt")


def _annotated(photo: Path, label: Path, classes: int, poses: bool) -> Annotated:
    """A photo with the boxes of its file; without ``classes`` it has no such file, and no objects."""
    lines = read_text(label).splitlines() if classes else []
    rows = [
        _object(f"{label}, line {number}", line.split()[: BOX_WORDS if poses else None], classes)
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    boxes = np.array([box for _, box in rows], np.float64).reshape(-1, 4)
    return Annotated(photo, boxes, np.array([number for number, _ in rows], np.int64), str(label), shares=True)


def _object(where: str, words: list[str], classes: int) -> tuple[int, np.ndarray]:
    """The class number and the corners, in shares of the sides, that a line has; of an outline, those around it."""
    try:
        values = np.array(words[1:], np.float64)
        number = int(words[0])
    except ValueError:
        raise InputError(f"{where} is {shown(' '.join(words))}, which is not {FORMAT}.") from None
    if not 0 <= number < classes:
        raise InputError(f"{where} has the class {number}, and there are {classes}, counted from 0: correct the names.")
    if len(values) < 4 or len(values) % 2 or not np.isfinite(values).all():
        raise InputError(f"{where} has {len(words)} finite numbers: it must be {FORMAT}, or the corners of an outline.")
    if len(values) == 4 and values[2:].min() < 0:
        raise InputError(f"{where} has a negative width or height: it must be {FORMAT}.")
    if values.max() > ROUNDED or values.min() < 1 - ROUNDED:
        raise InputError(
            f"{where} has the number {values[np.abs(values).argmax()]:g}: boxes in this format are shares of the "
            "picture's sides, from 0 to 1, and these look like pixels, so divide x and width by its width, y and "
            "height by its height."
        )
    if len(values) == 4:
        half = values[2:] / 2
        return number, np.concatenate([values[:2] - half, values[:2] + half])
    points = values.reshape(-1, 2)
    return number, np.concatenate([points.min(axis=0), points.max(axis=0)])
