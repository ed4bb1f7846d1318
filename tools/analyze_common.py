"""Flags and functions that the instruments' commands share: models, images, and result files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras_resnet
from keras_resnet import analysis, data, evaluation, weights
from keras_resnet.analysis.instrument_result import check_result, write_result
from keras_resnet.bounds import Count
from keras_resnet.command_line import Folder, JsonFile, ModelName
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
    images: Count = 256
    """How many images to take, from the beginning of the part."""

    def load(self) -> dict:
        """(model, images, labels) of each model by name; the images are preprocessed as its weights expect."""
        if self.out is not None:
            check_result(self.out)
        dataset = data.open_data(self.data, self.data_dir)
        part = dataset.part(self.split)
        loaded = {}
        for name in self.model:
            model = keras_resnet.load_model(name)
            if getattr(model, "spec", None) is None:
                raise InputError(f"{name} is not a network of keras_resnet: convert it with convert_weights.py.")
            model = analysis.in_float32(model)  # as derivatives need it
            size, outputs, classes = evaluation.input_size(model), model.output_shape[-1], len(dataset.classes)
            if outputs < classes:
                raise InputError(f"{name} has {outputs} classes and {dataset.name} {classes}: give other data.")
            # an untrained network gets the preprocessing that training would give it
            preprocessing = model.preprocessing or weights.Preprocessing(data.mean_image(dataset.train, size), crop=1.0)
            batches = data.imagenet_batches(part, data.ImageNetView(preprocessing, size), self.images)
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


def label_of(name: str, taken) -> str:
    """A model's name in figures: that of its file or run, with a number if it is ``taken``."""
    path = Path(name.split(":")[-1])
    label = path.parent.name if path.stem in ("best", "last") else path.stem
    return label if label not in taken else f"{label} ({len(taken) + 1})"
