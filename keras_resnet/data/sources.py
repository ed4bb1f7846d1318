"""Where images come from: a TFDS data set, a tree of class folders, or the built-in demo set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.data import demo
from keras_resnet.data.scan import readable_images
from keras_resnet.errors import InputError

HELD_OUT = 10  # without a validation split, the last tenth of the training images: 45k/5k on CIFAR-10 (Sec. 4.2)
IN_MEMORY_BYTES = 8 * 2**30
FULL_TEST = {"cifar10": 10_000, "cifar100": 10_000}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Split:
    """Encoded images and labels of one part of a data set, addressed by position.

    Fields:
        name: which images these are, as reports name them.
        labels: int32 ``[examples]``.
        encoded: scalar int64 tensor, a position, to scalar string tensor, the JPEG or PNG file's bytes.
    """

    name: str
    labels: np.ndarray
    encoded: Callable

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A data set: its class names and its splits; ``test`` is None where there is none."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split | None = None


def open_data(data: str, data_dir: str | Path | None = None) -> Data:
    """Open ``"demo"``, a folder with ``train/<class>/*.JPEG`` and ``val/<class>/*.JPEG``, or a TFDS name.

    Args:
        data: what to open. Something with a path separator, or an existing folder, is a folder.
        data_dir: where TFDS data sets are prepared; TFDS' own default if None.

    Raises:
        InputError: saying what was looked for and how to get the data.
    """
    if data == "demo":
        return _folder(demo.folder(), "demo")
    folder = Path(data).expanduser()
    if folder.is_dir() or folder.is_absolute() or len(folder.parts) > 1 or data.startswith("."):
        return _folder(folder, folder.name)
    return _tfds(data, Path(data_dir).expanduser() if data_dir else None)


def _folder(folder: Path, name: str) -> Data:
    for part in ("train", "val"):
        if not (folder / part).is_dir():
            raise InputError(
                f"There is no folder {folder / part}: --data takes a folder with train/<class>/*.JPEG and "
                "val/<class>/*.JPEG, the name of a TFDS data set, or demo."
            )
    classes, train = folder_split(folder / "train", "train")
    val_classes, val = folder_split(folder / "val", "val")
    if classes != val_classes:
        odd = sorted(set(classes) ^ set(val_classes))
        raise InputError(
            f"{folder}/train has {len(classes)} classes and {folder}/val has {len(val_classes)}; "
            f"only one of them has {', '.join(odd[:3])}{' ...' if len(odd) > 3 else ''}: make them the same."
        )
    return Data(name, classes, train, val)


def folder_split(folder: Path, name: str) -> tuple[tuple[str, ...], Split]:
    """The sorted class names and the images, those that decode, of ``folder/<class>/*``."""
    import tensorflow as tf

    folder = Path(folder)
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    found = [
        (str(path), label)
        for label, class_name in enumerate(classes)
        for path in sorted((folder / class_name).iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not found:
        raise InputError(f"{folder} holds no images: it needs folders of .JPEG, .jpg or .png files, one a class.")
    good = readable_images(folder, [path for path, _ in found])
    files = [(path, label) for path, label in found if path in good]
    paths = tf.constant([path for path, _ in files])
    labels = np.array([label for _, label in files], np.int32)
    return classes, Split(name, labels, lambda position: tf.io.read_file(tf.gather(paths, position)))


def _tfds(name: str, data_dir: Path | None) -> Data:
    import tensorflow_datasets as tfds

    where = data_dir if data_dir else Path(tfds.core.constants.DATA_DIR).expanduser()
    how = f"python -c \"import tensorflow_datasets as tfds; tfds.load('{name}', data_dir='{where}')\""
    missing = InputError(
        f"There is no prepared data set {name!r} in {where}: prepare it with {how}, or give --data demo, a folder "
        "with train/ and val/, or another --data-dir."
    )
    if not (where / name.split("/")[0].split(":")[0]).is_dir():
        raise missing
    try:
        builder = tfds.builder(name, data_dir=where)
    except (tfds.core.registered.DatasetNotFoundError, FileNotFoundError, ValueError) as error:
        raise missing from error
    sizes = {split: info.num_examples for split, info in builder.info.splits.items()}
    if "train" not in sizes or "image" not in builder.info.features or "label" not in builder.info.features:
        raise InputError(f"{name} has no training split of images with labels: choose a classification data set.")
    size = sum(info.num_bytes for info in builder.info.splits.values())
    if size > IN_MEMORY_BYTES:
        raise InputError(
            f"{name} has {size / 2**30:.0f} GiB and TFDS data sets are held in memory, up to "
            f"{IN_MEMORY_BYTES / 2**30:.0f} GiB: give --data a folder with train/<class>/* and val/<class>/* instead."
        )
    kept = sizes["train"] - sizes["train"] // HELD_OUT
    has_validation = "validation" in sizes
    train = _records(builder, "train" if has_validation else f"train[:{kept}]")
    validation = _records(builder, "validation" if has_validation else f"train[{kept}:]")
    test = None
    if "test" in sizes:
        short = sizes["test"] < FULL_TEST.get(name, 0)
        test = _records(builder, "test", f"first {sizes['test']:,} of test" if short else "test")
    return Data(name, tuple(builder.info.features["label"].names), train, validation, test)


def _records(builder, split: str, name: str | None = None) -> Split:
    """A TFDS split, its encoded images held in memory."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    read = tfds.ReadConfig(interleave_cycle_length=1)  # the stored order
    records = builder.as_dataset(
        split=split,
        decoders=tfds.decode.PartialDecoding(
            {"image": True, "label": True}, decoders={"image": tfds.decode.SkipDecoding()}
        ),
        read_config=read,
    )
    images, labels = [], []
    for batch in records.batch(1024):
        images.append(batch["image"])
        labels.append(batch["label"].numpy())
    encoded = tf.concat(images, axis=0)
    return Split(name or split, np.concatenate(labels).astype(np.int32), lambda position: tf.gather(encoded, position))
