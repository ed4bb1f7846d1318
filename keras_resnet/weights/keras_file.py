"""Keras' weight files read as data: HDF5 in the official (Keras 2) and the Keras 3 layout, and ``.keras`` archives.

Nothing in them is deserialized, so nothing they bring can run; links out of the file are refused.
"""

import io
import json
import math
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.weights import file_bounds
from keras_resnet.weights.description import MEAN_IMAGE, mean_image, of_config, with_mean_image
from keras_resnet.weights.file_bounds import LAYER, LAYERS, TEXT, Budget, content, members, parse_json, reading, shown

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
DESCRIPTION, MEAN_FILE = "description", f"{MEAN_IMAGE}.npy"
NO_WEIGHTS = "is damaged or no Keras weight file"
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def read_hdf5(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """``{layer: {weight: array}}`` and the description, empty for files of other programs."""
    with reading(path, NO_WEIGHTS):
        return _read(path, Budget(path))


def read_keras_archive(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """The same of a ``.keras`` file."""
    with reading(path, NO_WEIGHTS), open_archive(path) as (archive, directory):
        layers, description = _read(io.BytesIO(content(archive, directory[WEIGHTS])), Budget(path))
        config = parse_json(content(archive, directory[CONFIG], TEXT))
        ours = config.get("registered_name") == "keras_resnet>Network"
        description = description or (of_config(config["config"]) if ours else {})
        return layers, with_mean_image(description, asset(archive, directory))


READERS = {".weights.h5": read_hdf5, ".h5": read_hdf5, ".keras": read_keras_archive}


def add_description(path, description: dict) -> None:
    """Add a network's description to its ``.weights.h5`` file, where Keras does not look."""
    with h5py.File(path, "a") as file:
        file[DESCRIPTION] = np.frombuffer(json.dumps(description).encode(), np.uint8)
        if (image := mean_image(description)) is not None:
            file[MEAN_IMAGE] = image


def asset(archive: zipfile.ZipFile, directory: dict[str, zipfile.ZipInfo]) -> np.ndarray | None:
    """The mean image among the assets of a ``.keras`` file, if there is one."""
    member = directory.get(f"assets/{MEAN_FILE}")
    return (
        None if member is None else file_bounds.npy_array(content(archive, member, file_bounds.MEAN_IMAGE), MEAN_FILE)
    )


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
    """A ``.keras`` file and its directory by name.

    Raises:
        InputError: it is no archive, has members outside its folder, or lacks the network or its weights.
        ValueError: members of sizes that no such file has.
    """
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path.name} is damaged or no .keras file: save the model again with model.save.")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            member = PurePosixPath(name.replace("\\", "/"))
            if not member.parts or member.is_absolute() or ".." in member.parts or ":" in member.parts[0]:
                raise InputError(
                    f"{path.name} has the member {shown(name)!r} outside its folder: do not use this file."
                )
        directory = members(path, archive)
        for needed in (CONFIG, WEIGHTS):
            if needed not in directory:
                raise InputError(f"{path.name} is damaged or no .keras file: it has no {needed}.")
        yield archive, directory


@contextmanager
def checked_weights(path: Path) -> Iterator[Path]:
    """The HDF5 file that holds the weights of ``path``, itself or within, for Keras to read; its sizes are checked."""
    if path.suffix != ".keras":
        _check_hdf5(path)
        yield path
        return
    with open_archive(path) as (archive, _), tempfile.TemporaryDirectory() as folder:
        stored = Path(folder, WEIGHTS)
        with archive.open(WEIGHTS) as member, open(stored, "wb") as file:
            shutil.copyfileobj(member, file)  # in pieces, and no more than the directory says
        _check_hdf5(stored)
        yield stored


def check_layers(path: Path, config: dict) -> None:
    """Raise ValueError for a ``.keras`` file's ``config`` of more layers than its size can have, or out of order.

    Keras takes milliseconds for each call of a layer, and goes through all of them again for each that waits for one
    behind it.
    """
    calls, waiting = 0, 0
    left: list[dict | list] = [config]
    while left:
        each = left.pop()
        left += [
            value for value in (each.values() if isinstance(each, dict) else each) if isinstance(value, (dict, list))
        ]
        layers = each.get("layers") if isinstance(each, dict) else None
        known = set()
        for layer in layers if isinstance(layers, list) else ():
            nodes = layer.get("inbound_nodes") or [None]
            calls += len(nodes)
            known.add(layer.get("name"))
            waiting += any(name not in known for name in _inputs(nodes))
    if calls > LAYERS + path.stat().st_size / LAYER or waiting > LAYERS:
        raise ValueError(f"it describes {calls:,} calls of layers, {waiting:,} of them before their inputs")


def _inputs(nodes) -> Iterator[str]:
    """The names of the layers whose outputs a layer's ``nodes`` take."""
    left = [nodes]
    while left:
        each = left.pop()
        if isinstance(each, dict) and "keras_history" in each:
            yield each["keras_history"][0]
        elif isinstance(each, (dict, list)):
            left += each.values() if isinstance(each, dict) else each


def _check_hdf5(path: Path) -> None:
    """Raise ValueError for an HDF5 file of data that Keras would not refuse: no numbers, or more than it has."""
    budget = Budget(path)
    with h5py.File(path, "r") as opened:
        for _, dataset in _all_datasets(opened):
            _check(dataset, budget)
            if dataset.dtype.kind not in "fiu" and dataset.dtype != "V2":  # Keras writes bfloat16 so
                raise ValueError(f"{shown(dataset.name)} holds {shown(dataset.dtype)} and no numbers")


def _read(file, budget: Budget):
    layers, description = {}, {}
    with h5py.File(file, "r") as opened:
        root = _inside(opened, "model_weights") if "model_weights" in list(opened) else opened
        if "layer_names" in root.attrs:
            for layer in root:
                weights = _datasets(_inside(root, layer))
                if weights:
                    layers[layer] = {name.removesuffix(":0"): _array(each, budget) for name, each in weights.items()}
        elif "layers" in list(root):
            for name in _inside(root, "layers"):
                group = _inside(root, f"layers/{name}")
                variables = _inside(group, "vars") if "vars" in list(group) else {}
                if variables:
                    layer = _attribute(variables, "name")
                    if layer in layers:
                        raise ValueError(f"two of its layers are called {shown(layer)}")
                    layers[layer] = {key: _array(_inside(variables, key), budget) for key in variables}
            for own in (root, _inside(root, "vars") if "vars" in list(root) else {}):  # earlier versions: in vars
                if DESCRIPTION in list(own):
                    description = parse_json(_array(_inside(own, DESCRIPTION), budget).tobytes())
                    image = _array(_inside(own, MEAN_IMAGE), budget) if MEAN_IMAGE in list(own) else None
                    description = with_mean_image(description, image)
        if "model_config" in opened.attrs:
            config = parse_json(_attribute(opened, "model_config"))["config"]
            description = of_config(config) if "layers" in config else {}
        if not layers:
            raise ValueError("it holds no layers' weights")
    return layers, description


def _inside(group, path):
    """``group[path]``, refusing links."""
    for part in path.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"it points to {shown(part)} elsewhere")
        group = group[part]
    return group


def _datasets(group) -> dict[str, h5py.Dataset]:
    """The data sets in ``group`` and below by their own name; the attributes that list them are not needed."""
    found, links = {}, []
    group.visititems_links(lambda name, link: links.append((name.rsplit("/", 1)[-1], link)))
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"it points to {shown(name)} elsewhere")
    for name, dataset in _all_datasets(group):
        if name in found:
            raise ValueError(f"{shown(group.name)} has two weights called {shown(name)}")
        found[name] = dataset
    return found


def _all_datasets(group) -> list[tuple[str, h5py.Dataset]]:
    """Each data set in ``group`` and below, with its own name; h5py takes no exceptions while it visits."""
    visited = []
    group.visititems(lambda name, each: visited.append((name.rsplit("/", 1)[-1], each)))
    return [(name, each) for name, each in visited if isinstance(each, h5py.Dataset)]


def _attribute(group, name: str) -> str:
    """A text kept with ``group``: one, as many may all be the same long one of the file."""
    if group.attrs.get_id(name).shape != ():
        raise ValueError(f"{shown(name)} of {shown(group.name)} is no text")
    text = group.attrs[name]
    return text.decode() if isinstance(text, bytes) else str(text)


def _array(dataset, budget: Budget) -> np.ndarray:
    """The numbers of a data set, where it is one and of a size the file may have."""
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{shown(dataset.name)} holds no numbers")
    _check(dataset, budget)
    return dataset[()]


def _check(dataset: h5py.Dataset, budget: Budget) -> None:
    name = dataset.name.rsplit("/", 1)[-1]
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the numbers of {shown(name)} lie in another file")
    if dataset.shape is None or dataset.dtype.hasobject:  # nothing, texts or references
        raise ValueError(f"{shown(dataset.name)} holds no numbers")
    budget.take(dataset.name, math.prod(dataset.shape) * dataset.dtype.itemsize)
    if dataset.chunks is not None:
        budget.take(dataset.name, math.prod(dataset.chunks) * dataset.dtype.itemsize)
        _check_chunks(dataset, math.prod(dataset.chunks) * dataset.dtype.itemsize)


def _check_chunks(dataset: h5py.Dataset, size: int) -> None:
    """Raise ValueError unless every chunk unpacks to ``size`` bytes: HDF5 itself unpacks whatever comes."""
    made = dataset.id.get_create_plist()
    filters = [made.get_filter(i)[0] for i in range(made.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1 or not set(filters) <= FILTERS:
        raise ValueError(f"{shown(dataset.name)} is packed in a way that weights are not")
    if h5py.h5z.FILTER_DEFLATE in filters:
        for number in range(dataset.id.get_num_chunks()):
            _, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(number).chunk_offset)
            if len(zlib.decompressobj().decompress(packed, size + 1)) > size:
                raise ValueError(f"{shown(dataset.name)} unpacks to more than its {size:,} bytes a chunk")
