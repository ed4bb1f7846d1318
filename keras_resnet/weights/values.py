"""Numbers that no trained network has."""

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import weight_of
from keras_resnet.weights.file_bounds import shown

SIZES = (8, 16, 32, 64)
NUMBERS = {f"{kind}{size}" for kind in ("float", "int", "uint") for size in SIZES} - {"float8"} | {"bfloat16"}
WAY_OUT = "use another file, or look at these weights all the same with check_values=False"


def check_dtype(array, what: str) -> None:
    """Raise :class:`InputError`, which begins with ``what``, for an array that holds no real numbers."""
    dtype = getattr(array.dtype, "name", array.dtype)
    if dtype not in NUMBERS:
        raise InputError(f"{what} holds {shown(dtype)} and no numbers: convert the weights to float32.")


def check_values(arrays: dict[str, np.ndarray], source: str, epsilon: float, names=None) -> None:
    """Raise :class:`InputError` naming the first of ``arrays`` that makes outputs which are no numbers.

    Args:
        arrays: by a name whose end says what they are.
        source: what the message calls the file.
        epsilon: what normalization adds to the variances; one that took up another epsilon may be as far below zero.
        names: names of the arrays to the file's own.
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


def check_model(model, source: str) -> None:
    """The same of all that a Keras ``model`` holds, by Keras' paths."""
    import keras  # which needs keras_resnet.network, and that this

    layers = [each for each in model._flatten_layers() if isinstance(each, keras.layers.BatchNormalization)]
    epsilon = max((layer.epsilon for layer in layers), default=0.0)
    check_values({variable.path: variable.numpy() for variable in model.weights}, source, epsilon)


def _called(name: str, names) -> str:
    own = (names or {}).get(name, name)
    return shown(own) + (f" ({shown(name)})" if own != name else "")
