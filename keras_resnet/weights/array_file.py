"""``.safetensors`` in torchvision's layout, and ``.npz`` by canonical name; both carry the network's description."""

import json
import zipfile
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet.errors import InputError
from keras_resnet.weights import torch_names

METADATA = "keras_resnet"


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors by the file's own names, and the description; empty for files of other programs."""
    try:
        with safetensors.safe_open(path, framework="np") as file:
            description = (file.metadata() or {}).get(METADATA, "{}")
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(description)  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path.name} is damaged or no safetensors file of float arrays: {error}.") from error


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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        return arrays, json.loads(str(arrays.pop(METADATA, "{}")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name} is damaged or no .npz file of arrays: {error}.") from error


def write_npz(path: Path, arrays: dict[str, np.ndarray], description: dict) -> None:
    with open(path, "wb") as file:  # of a name, NumPy would make another with its own suffix
        np.savez(file, **arrays, **{METADATA: np.array(json.dumps(description))})
