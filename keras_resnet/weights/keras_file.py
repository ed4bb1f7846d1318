"""Keras' weight files read as data: HDF5 in the layouts of Keras 2 (the official files) and Keras 3, and ``.keras``.

Nothing is deserialized, so no code in a file can run; links to other files are refused.
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
from keras_resnet.weights.first_bytes import check_first_bytes

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
DESCRIPTION, MEAN_FILE = "description", f"{MEAN_IMAGE}.npy"
NO_WEIGHTS = "is damaged or not a Keras weight file"
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def read_hdf5(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """``{layer: {weight: array}}`` and the description, which is empty in files of other programs."""
    with reading(path, NO_WEIGHTS):
        return _read(path, Budget(path))


def read_keras_archive(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """Like :func:`read_hdf5`, for a ``.keras`` file."""
    with reading(path, NO_WEIGHTS), open_archive(path) as (archive, directory):
        layers, description = _read(io.BytesIO(content(archive, directory[WEIGHTS])), Budget(path))
        config = parse_json(content(archive, directory[CONFIG], TEXT))
        is_network = config.get("registered_name") == "keras_resnet>Network"
        description = description or (of_config(config["config"]) if is_network else {})
        return layers, with_mean_image(description, asset(archive, directory))


READERS = {".weights.h5": read_hdf5, ".h5": read_hdf5, ".keras": read_keras_archive}


def add_description(path: str | Path, description: dict) -> None:
    """Add a network's description to its ``.weights.h5`` file, in a place that Keras does not read."""
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
    """A ``.keras`` file and its members by name.

    Raises:
        InputError: it is not an archive, has members outside its folder, or lacks the network or its weights.
        ValueError: the sizes of its members are not those of such a file.
    """
    check_first_bytes(path)
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
                raise InputError(f"{path.name} is damaged or not a .keras file: it has no {needed}.")
        yield archive, directory


@contextmanager
def checked_weights(path: Path) -> Iterator[Path]:
    """The HDF5 file with the weights, ``path`` or a copy from the archive ``path``, whose sizes have been checked."""
    if path.suffix != ".keras":
        _check_hdf5(path)
        yield path
        return
    with open_archive(path) as (archive, _), tempfile.TemporaryDirectory() as folder:
        stored = Path(folder, WEIGHTS)
        with archive.open(WEIGHTS) as member, open(stored, "wb") as file:
            shutil.copyfileobj(member, file)  # copies in pieces, and no more than the directory states
        _check_hdf5(stored)
        yield stored


def check_layers(path: Path, config: dict) -> None:
    """Raise ValueError if the ``config`` of a ``.keras`` file has more layers than fit its size, or in a wrong order.

    Keras takes milliseconds for each call of a layer, and visits all layers again for each one that comes before its
    inputs.
    """
    calls, waiting = 0, 0
    remaining: list[dict | list] = [config]
    while remaining:
        item = remaining.pop()
        values = item.values() if isinstance(item, dict) else item
        remaining += [value for value in values if isinstance(value, (dict, list))]
        layers = item.get("layers") if isinstance(item, dict) else None
        known = set()
        for layer in layers if isinstance(layers, list) else ():
            nodes = layer.get("inbound_nodes") or [None]
            calls += len(nodes)
            known.add(layer.get("name"))
            waiting += any(name not in known for name in _inputs(nodes))
    if calls > LAYERS + path.stat().st_size / LAYER or waiting > LAYERS:
        raise ValueError(f"it describes {calls:,} calls of layers, {waiting:,} of them before their inputs")


def _inputs(nodes) -> Iterator[str]:
    """The names of the layers whose outputs are the inputs of a layer's ``nodes``."""
    remaining = [nodes]
    while remaining:
        item = remaining.pop()
        if isinstance(item, dict) and "keras_history" in item:
            yield item["keras_history"][0]
        elif isinstance(item, (dict, list)):
            remaining += item.values() if isinstance(item, dict) else item


def _check_hdf5(path: Path) -> None:
    """Raise ValueError for data in an HDF5 file that is not numeric or is too large, which Keras would read."""
    budget = Budget(path)
    with h5py.File(path, "r") as opened:
        for _, dataset in _all_datasets(opened):
            _check(dataset, budget)
            if dataset.dtype.kind not in "fiu" and dataset.dtype != "V2":  # Keras' type for bfloat16
                raise ValueError(f"{shown(dataset.name)} holds {shown(dataset.dtype)} instead of numbers")


def _read(file, budget: Budget):
    layers, description = {}, {}
    with h5py.File(file, "r") as opened:
        root = _inside(opened, "model_weights") if "model_weights" in list(opened) else opened
        if "layer_names" in root.attrs:
            for layer in root:
                weights = _datasets(_inside(root, layer))
                if weights:
                    layers[layer] = {name.removesuffix(":0"): _array(data, budget) for name, data in weights.items()}
        elif "layers" in list(root):
            for name in _inside(root, "layers"):
                group = _inside(root, f"layers/{name}")
                variables = _inside(group, "vars") if "vars" in list(group) else {}
                if variables:
                    layer = _attribute(variables, "name")
                    if layer in layers:
                        raise ValueError(f"two of its layers are called {shown(layer)}")
                    layers[layer] = {key: _array(_inside(variables, key), budget) for key in variables}
            for group in (root, _inside(root, "vars") if "vars" in list(root) else {}):  # earlier versions: in vars
                if DESCRIPTION in list(group):
                    description = parse_json(_array(_inside(group, DESCRIPTION), budget).tobytes())
                    image = _array(_inside(group, MEAN_IMAGE), budget) if MEAN_IMAGE in list(group) else None
                    description = with_mean_image(description, image)
        if "model_config" in opened.attrs:
            config = parse_json(_attribute(opened, "model_config"))["config"]
            description = of_config(config) if "layers" in config else {}
        if not layers:
            raise ValueError("it holds no layers' weights")
    return layers, description


def _inside(group, path):
    """``group[path]``; raises ValueError for links."""
    for part in path.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"{shown(part)} is a link to another place")
        group = group[part]
    return group


def _datasets(group) -> dict[str, h5py.Dataset]:
    """The data sets in ``group`` and below, by the last part of their names."""
    datasets, links = {}, []
    group.visititems_links(lambda name, link: links.append((name.rsplit("/", 1)[-1], link)))
    for name, link in links:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{shown(name)} is a link to another place")
    for name, dataset in _all_datasets(group):
        if name in datasets:
            raise ValueError(f"{shown(group.name)} has two weights called {shown(name)}")
        datasets[name] = dataset
    return datasets


def _all_datasets(group) -> list[tuple[str, h5py.Dataset]]:
    """The data sets in ``group`` and below, each with the last part of its name."""
    visited = []  # checked afterwards: h5py does not pass exceptions on while it visits
    group.visititems(lambda name, item: visited.append((name.rsplit("/", 1)[-1], item)))
    return [(name, item) for name, item in visited if isinstance(item, h5py.Dataset)]


def _attribute(group, name: str) -> str:
    """A text attribute of ``group``; raises ValueError for an array, which could repeat one long text many times."""
    if group.attrs.get_id(name).shape != ():
        raise ValueError(f"{shown(name)} of {shown(group.name)} is not a text")
    text = group.attrs[name]
    return text.decode() if isinstance(text, bytes) else str(text)


def _array(dataset, budget: Budget) -> np.ndarray:
    """The numbers of a data set; raises ValueError if it is something else, or too large for the file."""
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{shown(dataset.name)} holds no numbers")
    _check(dataset, budget)
    return dataset[()]


def _check(dataset: h5py.Dataset, budget: Budget) -> None:
    name = dataset.name.rsplit("/", 1)[-1]
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"the numbers of {shown(name)} are in another file")
    if dataset.shape is None or dataset.dtype.hasobject:  # empty, texts or references
        raise ValueError(f"{shown(dataset.name)} holds no numbers")
    budget.take(dataset.name, math.prod(dataset.shape) * dataset.dtype.itemsize)
    if dataset.chunks is not None:
        budget.take(dataset.name, math.prod(dataset.chunks) * dataset.dtype.itemsize)
        _check_chunks(dataset, math.prod(dataset.chunks) * dataset.dtype.itemsize)


def _check_chunks(dataset: h5py.Dataset, size: int) -> None:
    """Raise ValueError if a chunk decompresses to more than ``size`` bytes, which HDF5 itself does not check."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    if filters.count(h5py.h5z.FILTER_DEFLATE) > 1 or not set(filters) <= FILTERS:
        raise ValueError(f"{shown(dataset.name)} is compressed in a way that weights are not")
    if h5py.h5z.FILTER_DEFLATE in filters:
        for number in range(dataset.id.get_num_chunks()):
            _, compressed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(number).chunk_offset)
            if len(zlib.decompressobj().decompress(compressed, size + 1)) > size:
                raise ValueError(f"{shown(dataset.name)} decompresses to more than its {size:,} bytes per chunk")
