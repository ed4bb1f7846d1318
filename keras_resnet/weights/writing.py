"""Writing a network's weights for this package and for other systems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnet import weights
from keras_resnet.files import write_whole
from keras_resnet.weights import array_file, description
from keras_resnet.weights.file_bounds import expanded, suffix_of

if TYPE_CHECKING:
    from keras_resnet.network import Network

WRITERS = {
    ".keras": lambda path, model: model.save(path),
    ".weights.h5": lambda path, model: model.save_weights(path),
    ".safetensors": lambda path, model: array_file.write_safetensors(
        path, weights.named_arrays(model), description.as_json(model)
    ),
    ".npz": lambda path, model: array_file.write_npz(path, weights.named_arrays(model), description.as_json(model)),
}


def write(model: Network, path: str | Path) -> None:
    """Write the weights and description of ``model`` in the format of the path's suffix, completely or not at all.

    ``.keras`` is the whole model, ``.weights.h5`` Keras' weights file, ``.safetensors`` has torchvision's names and
    layouts, and ``.npz`` canonical names. torchvision's networks stride in the 3x3 convolution: with the weights of a
    network with ``stride_in="1x1"`` they give other outputs.

    Raises:
        InputError: the suffix is unknown, or the format has no place for some of the weights.
    """
    path = expanded(path)
    writer = WRITERS[suffix_of(path, WRITERS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: writer(part, model))
