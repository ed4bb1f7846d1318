"""``.safetensors`` in torchvision's layout, and ``.npz`` by canonical name; both carry the network's description."""

import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet.errors import InputError
from keras_resnet.weights import torch_names
from keras_resnet.weights.bounds import content, members, parse_json, reading, shown

METADATA = "keras_resnet"


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors by the file's own names, and the description; empty for files of other programs."""
    with (
        reading(path, "is damaged or no safetensors file of float arrays"),
        safetensors.safe_open(path, framework="np") as file,
    ):
        description = (file.metadata() or {}).get(METADATA, "{}")
        return {key: file.get_tensor(key) for key in file.keys()}, parse_json(description)  # noqa: SIM118


def write_safetensors(path: Path, arrays: dict[str, np.ndarray], description: dict) -> None:
    """Write in torchvision's names and layouts; refuses weights that its networks lack."""
    tensors = {}
    for name, array in arrays.items():
        key = torch_names.torchvision_key(name)
        if key is None:
            raise InputError(
                f"torchvision's ResNets have no place for {name}: write .npz, .weights.h5 or .keras instead."
            )
        tensors[key] = torch_names.torch_layout(array)
    safetensors.numpy.save_file(tensors, path, metadata={"format": "pt", METADATA: json.dumps(description)})


def read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays by canonical name, and the description."""
    with reading(path, "is damaged or no .npz file of arrays"), zipfile.ZipFile(path) as archive:
        found = members(path, archive)
        arrays = {name.removesuffix(".npy"): _array(content(archive, info), name) for name, info in found.items()}
        return arrays, parse_json(str(arrays.pop(METADATA, "{}")))


def _array(data: bytes, name: str) -> np.ndarray:
    """The array in a ``.npy`` file, whose header must not speak of other numbers than follow it."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = header[version](file)
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell() or dtype.hasobject:
        raise ValueError(f"{shown(name)} is {shape} {shown(dtype)} by its header, and {len(data):,} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def write_npz(path: Path, arrays: dict[str, np.ndarray], description: dict) -> None:
    with open(path, "wb") as file:  # of a name, NumPy would make another with its own suffix
        np.savez(file, **arrays, **{METADATA: np.array(json.dumps(description))})
