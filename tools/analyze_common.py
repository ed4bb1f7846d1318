"""Flags and functions that the instruments' commands share: models, images, and result files."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

import keras_resnet
from keras_resnet import analysis, data, evaluation, weights
from keras_resnet.analysis.instrument_result import check_result, write_result
from keras_resnet.bounds import Count
from keras_resnet.command_line import Folder, JsonFile, ModelName
from keras_resnet.data.dividing import BY_SHARE, Division
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, as_json
from keras_resnet.training.files.run_result import provenance


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """The flags of every instrument."""

    out: Folder | None = None
    """The folder for result.json and figure.png. Default: runs/analysis/<instrument>."""
    json: JsonFile | None = None
    """A file for another copy of result.json."""

    def keep(self, folder: Path, instrument: str, result: dict, tables: Iterable[Table]) -> None:
        """Write the result with its tables and provenance."""
        write_result(folder, instrument, result | {"tables": as_json(tables)}, provenance(), self.json)


@dataclass(frozen=True)
class OnImages(Instrument):
    """The models and the images."""

    model: tuple[ModelName, ...]
    """NAME (random weights), NAME:WEIGHTS, a .keras file or another weight file; several are compared."""
    data: str = "demo"
    """A folder of class folders, a CSV file of photos, record shards, the name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """The folder of prepared TFDS data sets."""
    split: Literal["train", "val", "test"] = "val"
    """The part of the data."""
    division: Division = BY_SHARE
    """How photos without a split are divided: as the model's own run divided them."""
    images: Count = 256
    """How many images to take, evenly spaced over the part, so that those sorted by class are of all classes."""

    def load(self) -> dict:
        """(model, images, labels) of each model by name; the images are preprocessed as its weights expect."""
        if self.out is not None:
            check_result(self.out)
        dataset = data.open_data(self.data, self.data_dir, self.division)
        chosen = _sampled(dataset.part(self.split), self.images)
        loaded = {}
        for name in self.model:
            model = keras_resnet.load_model(name)
            if getattr(model, "spec", None) is None:
                raise InputError(f"{name} is not a network of keras_resnet: convert it with convert_weights.py.")
            model = analysis.in_float32(model)  # as derivatives need it
            size, untrained = evaluation.input_size(model), model.preprocessing is None and not model.class_names
            if not untrained:
                evaluation.check_model(model, dataset)
            elif model.output_shape[-1] < len(dataset.classes):
                outputs, classes = model.output_shape[-1], len(dataset.classes)
                raise InputError(f"{name} has {outputs} classes and {dataset.name} {classes}: give other data.")
            # an untrained network gets the preprocessing that training would give it
            preprocessing = model.preprocessing or weights.Preprocessing(data.mean_image(dataset.train, size), crop=1.0)
            batches = data.imagenet_batches(chosen, data.ImageNetView(preprocessing, size), len(chosen))
            images, labels = (values.numpy() for values in next(iter(batches)))
            loaded[label_of(name, loaded)] = (model, images, labels)
        return loaded

    def write(self, instrument: str, result: dict, tables: Iterable[Table]) -> Path:
        """Write the result, and return the folder for the figure."""
        folder = self.out or Path("runs/analysis") / instrument
        about = {"models": list(self.model), "data": self.data, "split": self.split, "images": self.images}
        self.keep(folder, instrument, about | result, tables)
        print(f"result.json and figure.png in {folder}")
        return folder


def sample(total: int, count: int) -> np.ndarray:
    """At most ``count`` of ``total`` positions, evenly spaced and in random order: batches are of all classes."""
    return np.random.default_rng(0).permutation(data.evenly_spaced(total, count))


def _sampled(split: data.Split, count: int) -> data.Split:
    """At most ``count`` images of ``split``, by :func:`sample`."""
    import tensorflow as tf

    positions, read = tf.constant(sample(len(split), count)), split.read_whole or split.read
    return replace(split, size=len(positions), read=lambda at: read(tf.gather(positions, at)), read_whole=None)


def label_of(name: str, taken) -> str:
    """A model's name in figures: that of its file or run, with a number if it is ``taken``."""
    path = Path(name.split(":")[-1])
    label = path.parent.name if path.stem in ("best", "last") else path.stem
    return label if label not in taken else f"{label} ({len(taken) + 1})"
