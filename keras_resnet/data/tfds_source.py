"""Prepared data sets of TensorFlow Datasets (TFDS), read by position like all other sources."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnet.data.records import record_split
from keras_resnet.data.splits import Data
from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

HELD_OUT = 10  # without a validation split, the last tenth is held out: 45k/5k on CIFAR-10 (Sec. 4.2)
FULL_TEST = {"cifar10": 10_000, "cifar100": 10_000}


def open_builder(name: str, data_dir: Path | None, instead: str) -> tfds.core.DatasetBuilder:
    """The builder of the prepared TFDS data set ``name`` in ``data_dir``, stored as TFRecord files.

    Raises:
        InputError: it does not exist; the message says how to prepare it or what to give ``instead``.
    """
    import tensorflow_datasets as tfds

    folder = data_dir if data_dir else Path(tfds.core.constants.DATA_DIR).expanduser()
    how = f"python -c \"import tensorflow_datasets as tfds; tfds.load('{name}', data_dir='{folder}')\""
    missing = InputError(
        f"There is no prepared data set {name!r} in {folder}: prepare it with {how}, or give {instead}, or another "
        "--data-dir."
    )
    if not os.path.isdir(folder / name.split("/")[0].split(":")[0]):
        raise missing
    try:
        builder = tfds.builder(name, data_dir=folder)
    except (tfds.core.registered.DatasetNotFoundError, OSError, ValueError) as error:
        raise missing from error
    if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
        raise InputError(f"{name} in {folder} is not stored as TFRecord files: prepare it with file_format='tfrecord'.")
    return builder


def open_tfds(name: str, data_dir: Path | None) -> Data:
    """The prepared TFDS data set ``name``; without a validation split, a part of train is held out for it."""
    import tensorflow_datasets as tfds

    builder = open_builder(name, data_dir, "--data demo, a folder with train/ and val/")
    splits, features = builder.info.splits, builder.info.features
    if "train" not in splits or "image" not in features or "label" not in features:
        raise InputError(f"{name} has no training split of images with labels: choose a classification data set.")
    decoders = {"image": tfds.decode.SkipDecoding()}

    def parse(record):
        example = features.deserialize_example(record, decoders=decoders)
        return example["image"], example["label"]

    def part(split, *interval, label=None):
        return record_split(label or split, [Path(path) for path in splits[split].filepaths], parse, *interval)

    openers = {"train": lambda: part("train"), "validation": lambda: part("validation")}
    if "validation" not in splits:
        end = splits["train"].num_examples - splits["train"].num_examples // HELD_OUT
        openers["train"] = lambda: part("train", 0, end, label=f"train[:{end}]")
        openers["validation"] = lambda: part("train", end, None, label=f"train[{end}:]")
    if "test" in splits:
        size = splits["test"].num_examples
        test_label = f"first {size:,} of test" if size < FULL_TEST.get(name, 0) else None
        openers["test"] = lambda: part("test", label=test_label)
    return Data(name, tuple(features["label"].names), openers)
