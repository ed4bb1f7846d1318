"""``.safetensors`` files in torchvision's layout and ``.npz`` files by canonical name, both with the description."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from keras_resnet.errors import InputError
from keras_resnet.weights import torch_names
from keras_resnet.weights.description import MEAN_IMAGE, mean_image, with_mean_image
from keras_resnet.weights.file_bounds import npy_array, npz_arrays, parse_json, reading

METADATA, MEAN = "keras_resnet", f"keras_resnet_{MEAN_IMAGE}"


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The tensors by the file's own names, and the description, which is empty in files of other programs."""
    with (
        reading(path, "is damaged or not a safetensors file of float arrays"),
        safetensors.safe_open(path, framework="np") as file,
    ):
        metadata = file.metadata() or {}
        image = npy_array(base64.b64decode(metadata[MEAN]), MEAN) if MEAN in metadata else None
        description = with_mean_image(parse_json(metadata.get(METADATA, "{}")), image)
        return {key: file.get_tensor(key) for key in file.keys()}, description  # noqa: SIM118


def write_safetensors(path: Path, arrays: dict[str, np.ndarray], description: dict) -> None:
    """Write ``arrays``, by canonical name, with torchvision's names and layouts.

    A mean image becomes text in the metadata, because ``load_state_dict`` would refuse a file with another tensor.

    Raises:
        InputError: torchvision's networks have no such weight.
    """
    tensors, metadata, image = {}, {"format": "pt", METADATA: json.dumps(description)}, mean_image(description)
    for name, array in arrays.items():
        key = torch_names.torchvision_key(name)
        if key is None:
            raise InputError(
                f"torchvision's ResNets have no place for {name}: write .npz, .weights.h5 or .keras instead."
            )
        tensors[key] = torch_names.torch_layout(array)
    if image is not None:
        np.save(buffer := io.BytesIO(), image)
        metadata[MEAN] = base64.b64encode(buffer.getvalue()).decode()
    path.write_bytes(safetensors.numpy.save(tensors, metadata))  # an OSError says why it cannot, save_file's does not


def read_npz(path: Path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays by canonical name, and the description."""
    arrays = npz_arrays(path)
    with reading(path, "has a damaged description"):
        description = with_mean_image(parse_json(str(arrays.pop(METADATA, "{}"))), arrays.pop(MEAN, None))
        return arrays, description


def write_npz(path: Path, arrays: dict[str, np.ndarray], description: dict) -> None:
    """Write ``arrays``, by canonical name, and the description."""
    image = mean_image(description)
    metadata = {METADATA: np.array(json.dumps(description))} | ({} if image is None else {MEAN: image})
    with open(path, "wb") as file:  # given a name, NumPy would append its own suffix
        np.savez(file, **arrays, **metadata)  # type: ignore[arg-type]
