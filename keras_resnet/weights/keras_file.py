"""Keras' weight files read as data: HDF5 in the official (Keras 2) and the Keras 3 layout, and ``.keras`` archives.

Nothing in them is deserialized, so nothing they bring can run; links out of the file are refused.
"""

import io
import json
import zipfile
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.weights.description import of_config

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
DESCRIPTION = "description"


def read_hdf5(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """``{layer: {weight: array}}`` and the description, empty for files of other programs."""
    return _guarded(path, lambda: _read(path))


def read_keras_archive(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict]:
    """The same of a ``.keras`` file."""

    def read():
        check_members(path)
        with zipfile.ZipFile(path) as archive:
            layers, description = _read(io.BytesIO(archive.read(WEIGHTS)))
            config = json.loads(archive.read(CONFIG))
        ours = config.get("registered_name") == "keras_resnet>Network"
        return layers, description or (of_config(config["config"]) if ours else {})

    return _guarded(path, read)


def add_description(path, description: dict) -> None:
    """Add a network's description to its ``.weights.h5`` file, where Keras does not look."""
    with h5py.File(path, "a") as file:
        file[DESCRIPTION] = np.frombuffer(json.dumps(description).encode(), np.uint8)


def check_members(path: Path) -> None:
    """Raise :class:`InputError` for an archive that is none, or has members outside its folder."""
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path.name} is damaged or no .keras file: save the model again with model.save.")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            member = PurePosixPath(name.replace("\\", "/"))
            if member.is_absolute() or ".." in member.parts or ":" in member.parts[0]:
                raise InputError(f"{path.name} has the member {name!r} outside its folder: do not use this file.")


def _guarded(path, read):
    try:
        return read()
    except InputError:
        raise
    # h5py and zipfile say in all these ways that bytes are not what they should be
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} is damaged or no Keras weight file: {error}.") from error


def _read(file):
    layers, description = {}, {}
    with h5py.File(file, "r") as content:
        root = _inside(content, "model_weights") if "model_weights" in list(content) else content
        if "layer_names" in root.attrs:
            for layer in root.attrs["layer_names"]:
                group = _inside(root, _text(layer))
                weights = {_text(name): _inside(group, _text(name)) for name in group.attrs["weight_names"]}
                if weights:
                    layers[_text(layer)] = {
                        name.rsplit("/", 1)[-1].removesuffix(":0"): dataset[()] for name, dataset in weights.items()
                    }
        elif "layers" in list(root):
            for name in _inside(root, "layers"):
                group = _inside(root, f"layers/{name}")
                variables = _inside(group, "vars") if "vars" in list(group) else {}
                if variables:
                    layer = _text(variables.attrs["name"])
                    layers[layer] = {key: _inside(variables, key)[()] for key in variables}
            for own in (root, _inside(root, "vars") if "vars" in list(root) else {}):  # earlier versions: in vars
                if DESCRIPTION in list(own):
                    description = json.loads(bytes(_inside(own, DESCRIPTION)[()]))
        if "model_config" in content.attrs:
            config = json.loads(content.attrs["model_config"])["config"]
            description = of_config(config) if "layers" in config else {}
        if not layers:
            raise ValueError("it holds no layers' weights")
    return layers, description


def _inside(group, path):
    """``group[path]``, refusing links, and data that lie in other files."""
    for part in path.split("/"):
        if not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"it points to {part} elsewhere")
        group = group[part]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise ValueError(f"the numbers of {path} lie in another file")
    return group


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
