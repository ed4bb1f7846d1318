"""Writing a network's weights for this package and for others."""

from pathlib import Path

from keras_resnet import weights
from keras_resnet.files import write_whole
from keras_resnet.weights import array_file, description
from keras_resnet.weights.file_bounds import expanded, suffix_of

WRITERS = {
    ".keras": lambda path, model: model.save(path),
    ".weights.h5": lambda path, model: model.save_weights(path),
    ".safetensors": lambda path, model: array_file.write_safetensors(
        path, weights.named_arrays(model), description.as_json(model)
    ),
    ".npz": lambda path, model: array_file.write_npz(path, weights.named_arrays(model), description.as_json(model)),
}


def check_target(path) -> None:
    """Raise :class:`InputError` for a file that :func:`write` would not know how to write."""
    suffix_of(Path(path), WRITERS)


def write(model, path) -> None:
    """Write ``model``'s weights and description whole or not at all; the suffix says how.

    ``.keras`` is the whole model, ``.weights.h5`` Keras' weights, ``.safetensors`` torchvision's names and layouts
    (its networks stride in the 3x3 convolution: others give other outputs there), ``.npz`` canonical names.

    Raises:
        InputError: an unknown suffix, a folder that is not there, or weights the format has no place for.
    """
    path = expanded(path)
    writer = WRITERS[suffix_of(path, WRITERS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: writer(part, model))
