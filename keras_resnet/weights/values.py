"""Checks for values that no trained network has."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import weight_of
from keras_resnet.weights.file_bounds import shown

if TYPE_CHECKING:
    import keras

SIZES = (8, 16, 32, 64)
NUMBERS = {f"{base}{size}" for base in ("float", "int", "uint") for size in SIZES} - {"float8"} | {"bfloat16"}
WAY_OUT = "use another file, or read these weights as they are with check_values=False"


def check_dtype(array: np.ndarray, what: str) -> None:
    """Raise :class:`InputError`, which begins with ``what``, unless the array holds real numbers."""
    dtype = getattr(array.dtype, "name", array.dtype)
    if dtype not in NUMBERS:
        raise InputError(f"{what} holds {shown(dtype)} instead of numbers: convert the weights to float32.")


def check_values(
    arrays: Mapping[str, np.ndarray], source: str, epsilon: float, names: Mapping[str, str] | None = None
) -> None:
    """Raise :class:`InputError`, which names the array, for the first of ``arrays`` that would make outputs invalid.

    Args:
        arrays: values by a name that ends in the name of a weight, such as ``moving_variance``.
        source: the name of the file in the message.
        epsilon: the number that normalization adds to the variances. Variances adapted from another epsilon may be
            negative, but not below its negative.
        names: the file's own name of each array.
    """
    for name, array in arrays.items():
        check_dtype(array, f"{source}: {_called(name, names)}")
        with np.errstate(all="ignore"):
            used = array.astype(np.float32)
        if not np.isfinite(used).all():
            beyond = array.dtype.itemsize > 4 and np.isfinite(array).all()
            fault = "numbers beyond float32" if beyond else "NaN or infinite numbers"
            raise InputError(f"{source}: {_called(name, names)} has {fault}: {WAY_OUT}.")
        lowest = used.min(initial=0)
        if weight_of(name) == "moving_variance" and lowest < 0 and lowest + epsilon <= 0:
            raise InputError(f"{source}: {_called(name, names)} has negative variances: {WAY_OUT}.")


def check_model(model: "keras.Model", source: str) -> None:
    """Like :func:`check_values`, for all weights of a Keras ``model``, which the message names by Keras' paths."""
    import keras  # here, because importing Keras imports keras_resnet.network, which imports this module

    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    epsilon = max((layer.epsilon for layer in layers), default=0.0)
    check_values({variable.path: variable.numpy() for variable in model.weights}, source, epsilon)


def _called(name: str, names: Mapping[str, str] | None) -> str:
    """The file's own name of an array, with the canonical one if that differs."""
    in_file = (names or {}).get(name, name)
    return shown(in_file) + (f" ({shown(name)})" if in_file != name else "")
