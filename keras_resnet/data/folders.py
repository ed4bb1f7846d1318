"""Photos in files: one folder per class, divided or not; a list; or ImageNet as its official archives unpack."""

import csv
import functools
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_resnet.data.dividing import BY_SHARE, Division
from keras_resnet.data.gathering import ClassFolders, class_folders, content_keys, is_hidden, is_image
from keras_resnet.data.photo_table import WRITE, read_photo_table
from keras_resnet.data.reading import Reader, list_folder, read_regular, read_text
from keras_resnet.data.scan import MAX_BAD_SHARE, fetch_from, whole_of
from keras_resnet.data.splits import DATA_FORMS, Data, LeftOut, Split, fingerprint_of
from keras_resnet.errors import InputError


def open_folder(folder: Path, name: str, division: Division = BY_SHARE) -> Data:
    """``folder/<class>/*``, which is divided; or ``folder/train/<class>/*`` with ``folder/val/<class>/*``.

    ``val`` may also be flat, with a label list beside it. Photos in folders below a class folder are of that class.
    """
    if not os.path.lexists(folder):
        raise InputError(f"There is no folder {folder}: --data takes {DATA_FORMS}.")
    parts = dict(list_folder(folder))
    if not parts.get("train") and not parts.get("val"):
        return _divided(folder, name, division)
    for part, other in (("train", "val"), ("val", "train")):
        if not parts.get(part):
            way_out = f"; --data {folder / other} divides that folder" if parts.get(other) else ""
            raise InputError(f"There is no folder {folder / part}: --data takes {DATA_FORMS}{way_out}.")
    division.refuse_if_given(str(folder))
    train = class_folders(folder / "train")
    classes = tuple(train.paths)
    openers = {"train": functools.partial(_class_split, train, "train", classes)}
    if any(is_image(name) for name, _ in list_folder(folder / "val")):
        openers["validation"] = functools.partial(_flat_split, folder, classes)
        return Data(name, classes, openers)
    val = class_folders(folder / "val")
    unknown = sorted(set(val.paths) - set(classes))
    if unknown:
        raise InputError(
            f"{folder}/train has {len(classes)} classes and {folder}/val has {len(val.paths)}; only val has photos of "
            f"{', '.join(unknown[:3])}{' ...' if len(unknown) > 3 else ''}: give train some too."
        )
    openers["validation"] = functools.partial(_class_split, val, "val", classes)
    others = [part for part in parts if parts[part] and part not in ("train", "val") and not is_hidden(part)]
    left_out = (LeftOut("folders beside train and val", len(others), others[0]),) if others else ()
    return Data(name, classes, openers, left_out)


def open_table(file: Path, division: Division = BY_SHARE) -> Data:
    """The photos that a CSV or TSV file lists, divided as its column ``split`` says or, without one, by content."""
    table = read_photo_table(file)
    if not table.labels:
        raise InputError(f"{file} lists no photos: {WRITE}.")
    classes = tuple(sorted(set(table.labels.values())))
    by_class: dict[str, list[bytes]] = {label: [] for label in classes}
    for path, label in table.labels.items():
        by_class[label].append(os.fsencode(path))
    paths = list(by_class.values())
    readable = functools.cache(lambda: whole_of(file.parent, paths, file.name))
    if not table.parts:
        return _in_two(file.parent, file.stem, classes, readable, division, table.left_out)
    division.refuse_if_given(str(file))
    for part in ("train", "validation"):
        if part not in table.parts.values():
            raise InputError(f"{file} has no photo in the split {part}: give it both train and val, or no splits.")

    def opened(part: str) -> Split:
        files, left_out = readable()
        of_part = np.array([table.parts[os.fsdecode(path)] == part for path in files["path"]], bool)
        listed = list(table.parts.values()).count(part)
        bad = listed - int(of_part.sum())
        if bad > MAX_BAD_SHARE * listed:
            raise InputError(
                f"{bad} of {listed} photos of the split {part} in {file} do not decode, more than {MAX_BAD_SHARE:.0%}: "
                "repair or remove them."
            )
        split = _split(file.parent, part, files[of_part])
        return replace(split, left_out=left_out) if part == "train" else split

    openers = {part: functools.partial(opened, part) for part in dict.fromkeys(table.parts.values())}
    return Data(file.stem, classes, openers, table.left_out)


def folder_split(folder: Path, name: str) -> tuple[tuple[str, ...], Split]:
    """The sorted class names and the readable images of ``folder/<class>/*``.

    Raises:
        InputError: the folder is missing or cannot be read, has no images, or has too many that do not decode.
    """
    listed = class_folders(Path(folder))
    classes = tuple(listed.paths)
    return classes, _class_split(listed, name, classes)


def _divided(folder: Path, name: str, division: Division) -> Data:
    """A folder of class folders without ``train`` and ``val``."""
    listed = class_folders(folder)
    classes = tuple(listed.paths)
    paths = list(listed.paths.values())
    return _in_two(folder, name, classes, functools.cache(lambda: whole_of(folder, paths)), division, listed.left_out)


def _in_two(
    folder: Path,
    name: str,
    classes: tuple[str, ...],
    readable: Callable[[], tuple[np.ndarray, tuple[LeftOut, ...]]],
    division: Division,
    left_out: tuple[LeftOut, ...],
) -> Data:
    """The ``readable`` photos, whose paths are in ``folder``, divided into a training and a validation part."""
    if len(classes) < 2:
        raise InputError(f"All photos of {folder} are of one class, {classes[0]}: a classifier needs two or more.")
    names = division.names(name)

    @functools.cache
    def halves() -> tuple[Split, Split]:
        files, bad = readable()
        held_out = division.held_out(files["directory"], content_keys(folder, files), name)
        if held_out.all() or not held_out.any():
            raise InputError(f"{name} has too few photos to divide: give each class two different ones or more.")
        train, validation = _split(folder, names[0], files[~held_out]), _split(folder, names[1], files[held_out])
        return replace(train, left_out=bad), validation

    return Data(name, classes, {"train": lambda: halves()[0], "validation": lambda: halves()[1]}, left_out)


def _class_split(listed: ClassFolders, name: str, classes: tuple[str, ...]) -> Split:
    none = np.zeros(0, "S1")
    files, bad = whole_of(listed.folder, [listed.paths.get(class_name, none) for class_name in classes])
    return replace(_split(listed.folder, name, files), left_out=(*bad, *listed.left_out))


def _split(folder: Path, name: str, files: np.ndarray) -> Split:
    """The split of the images in ``files``; their ``directory`` is their label."""
    import tensorflow as tf

    place, paths = os.path.join(folder, ""), files["path"]
    reader, labels = Reader(name, len(files), fetch_from(folder, files)), tf.constant(files["directory"], tf.int32)

    def read_whole(position):
        encoded, used = reader.read_whole(position)
        return encoded, tf.gather(labels, used)

    fields = [files[field].tobytes() for field in ("path", "size", "modified", "directory")]
    return Split(
        name,
        len(files),
        lambda position: (reader.read(position), tf.gather(labels, position)),
        fingerprint_of([place, *fields]),
        lambda position: os.path.join(folder, os.fsdecode(paths[position])),
        read_whole,
        reader,
        files,
        functools.partial(_split, folder, name),
        folder=folder,
    )


def _flat_split(folder: Path, classes: tuple[str, ...]) -> Split:
    """``folder/val/*.JPEG`` with labels from the first file of ``LABEL_LISTS`` that is found."""
    images = [folder / "val" / name for name, _ in list_folder(folder / "val") if is_image(name)]
    for name, read in LABEL_LISTS.items():
        for label_list in sorted(path for depth in ("", "*/", "*/*/") for path in folder.glob(depth + name)):
            wnids = _labels(read, label_list, images, classes)
            missing = [path.name for path in images if wnids.get(path.stem) not in classes]
            if missing:
                raise InputError(
                    f"{label_list} gives no class of {folder / 'train'} for {len(missing)} of {len(images)} images in "
                    f"{folder / 'val'} (the first is {missing[0]}): replace it with the list for these images."
                )
            number = {name: i for i, name in enumerate(classes)}
            files, bad = whole_of(folder / "val", [[os.fsencode(image.name) for image in images]])
            stems = (os.path.splitext(os.fsdecode(path))[0] for path in files["path"])
            files["directory"] = [number[wnids[stem]] for stem in stems]
            return replace(_split(folder / "val", "val", files), left_out=bad)
    raise InputError(
        f"{folder / 'val'} holds images without class folders: put their label list into {folder}, one of "
        f"{', '.join(LABEL_LISTS)}."
    )


def _labels(read, path: Path, images, classes) -> dict[str, str]:
    try:
        return read(path, images, classes)
    except InputError:
        raise
    except Exception as error:  # damaged files can raise anything
        reason = f"{type(error).__name__}: {error}"[:200]
        raise InputError(f"{path} is not as it was published ({reason}): restore the original.") from error


def _devkit(path: Path, images, classes) -> dict[str, str]:
    """The development kit's ground truth: one number per line, which ``meta.mat`` beside it maps to a WordNet ID."""
    from scipy.io import loadmat

    meta = path.with_name("meta.mat")
    if not meta.exists():
        raise InputError(f"{path} needs the development kit's meta.mat beside it: copy it there.")
    synsets = loadmat(io.BytesIO(read_regular(meta)[0]), squeeze_me=True)["synsets"]
    wnids = {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    return _in_order(path, images, [wnids.get(int(number)) for number in read_text(path).split()])


def _synsets(path: Path, images, classes) -> dict[str, str]:
    """One WordNet ID per line, in the order of the sorted files."""
    return _in_order(path, images, read_text(path).split())


def _in_order(path, images, wnids) -> dict[str, str]:
    if len(wnids) != len(images):
        raise InputError(
            f"{path} has {len(wnids)} labels for {len(images)} images: it is the list of another data set."
        )
    return {image.stem: wnid for image, wnid in zip(images, wnids, strict=True)}


def _file_and_number(path: Path, images, classes) -> dict[str, str]:
    """Caffe's list: on each line a file, and the position of its class among the sorted classes."""
    pairs = (line.split() for line in read_text(path).splitlines() if line.strip())
    return {Path(file).stem: classes[int(number)] for file, number in pairs if 0 <= int(number) < len(classes)}


def _kaggle(path: Path, images, classes) -> dict[str, str]:
    """Kaggle's solution file: the name of an image, then its WordNet ID and boxes."""
    rows = csv.DictReader(io.StringIO(read_text(path), newline=""))
    return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}


LABEL_LISTS = {
    "ILSVRC2012_validation_ground_truth.txt": _devkit,
    "imagenet_2012_validation_synset_labels.txt": _synsets,
    "LOC_val_solution.csv": _kaggle,
    "val.txt": _file_and_number,
}
