"""Folders of photos: one folder per class, or ImageNet as its official archives unpack, with a list of labels."""

import csv
import functools
import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_resnet.data.reading import Reader, list_folder, read_regular, read_text
from keras_resnet.data.scan import fetch_from, images_in, is_image
from keras_resnet.data.splits import DATA_FORMS, Data, Split, fingerprint_of
from keras_resnet.errors import InputError


def open_folder(folder: Path, name: str) -> Data:
    """``folder/train/<class>/*`` with ``folder/val/<class>/*``, or with a flat ``val`` and a label list beside it."""
    is_folder = dict(list_folder(folder)) if os.path.lexists(folder) else {}
    for part in ("train", "val"):
        if not is_folder.get(part):
            raise InputError(f"There is no folder {folder / part}: --data takes {DATA_FORMS}.")
    classes = _folders(folder / "train")
    openers = {"train": functools.partial(_class_split, folder / "train", "train", classes)}
    if any(is_image(name) for name, _ in list_folder(folder / "val")):
        openers["validation"] = functools.partial(_flat_split, folder, classes)
        return Data(name, classes, openers)
    val_classes = _folders(folder / "val")
    if classes != val_classes:
        odd = sorted(set(classes) ^ set(val_classes))
        raise InputError(
            f"{folder}/train has {len(classes)} classes and {folder}/val has {len(val_classes)}; "
            f"only one of them has {', '.join(odd[:3])}{' ...' if len(odd) > 3 else ''}: make them the same."
        )
    openers["validation"] = functools.partial(_class_split, folder / "val", "val", classes)
    return Data(name, classes, openers)


def folder_split(folder: Path, name: str) -> tuple[tuple[str, ...], Split]:
    """The sorted class names and the readable images of ``folder/<class>/*``.

    Raises:
        InputError: the folder is missing or cannot be read, has no images, or has too many that do not decode.
    """
    classes = _folders(Path(folder))
    return classes, _class_split(Path(folder), name, classes)


def _folders(folder: Path) -> tuple[str, ...]:
    names = tuple(name for name, is_folder in list_folder(folder) if is_folder)
    for name in names:
        if not name.isprintable():  # this includes bytes that are not UTF-8, which Python turns into surrogates
            raise InputError(f"The class folder {name!r} in {folder} has a name that cannot be printed: rename it.")
    return names


def _class_split(folder: Path, name: str, classes: tuple[str, ...]) -> Split:
    return _split(folder, name, _readable(folder, classes))


def _readable(folder: Path, directories: Sequence[str]) -> np.ndarray:
    files = images_in(folder, directories) if directories else np.zeros(0)
    if not len(files):
        raise InputError(f"{folder} holds no images: it needs a folder of .JPEG, .jpg or .png files for each class.")
    return files


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
        lambda position: place + os.fsdecode(paths[position]),
        read_whole,
        reader,
        files,
        functools.partial(_split, folder, name),
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
            files = _readable(folder / "val", [""])
            stems = (os.path.splitext(os.fsdecode(path))[0] for path in files["path"])
            files["directory"] = [number[wnids[stem]] for stem in stems]
            return _split(folder / "val", "val", files)
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
