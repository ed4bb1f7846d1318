"""Weights by canonical name, ``conv2_block3_1_conv/kernel``, which is the same in unrolled and looped networks."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import Slot, structure_of
from keras_resnet.weights.file_bounds import shown, unchanged_on_error
from keras_resnet.weights.values import check_dtype

if TYPE_CHECKING:
    import keras


def slots(model: "keras.Model") -> dict[str, Slot]:
    """The :class:`Slot` of every trainable weight and moving statistic by canonical name, in the network's order."""
    return {name: slot for part in structure_of(model).parts for name, slot in part.weights.items()}


def named_arrays(model: "keras.Model") -> dict[str, np.ndarray]:
    """The values of every weight and moving statistic of ``model``, by canonical name."""
    values = {}
    arrays = {}
    for name, slot in slots(model).items():
        if id(slot.variable) not in values:
            values[id(slot.variable)] = slot.variable.numpy()
        value = values[id(slot.variable)]
        arrays[name] = value if slot.index is None else value[slot.index]
    return arrays


def assign_arrays(model: "keras.Model", arrays: Mapping[str, np.ndarray], source: str = "the weights") -> None:
    """Set every weight of ``model`` from ``arrays``; if that raises an error, the model is unchanged.

    The arguments and errors are those of :func:`check_fit`.
    """
    check_fit(model, arrays, source)
    set_arrays(model, arrays)


def set_arrays(model: "keras.Model", arrays: Mapping[str, np.ndarray]) -> None:
    """Set every weight of ``model`` from ``arrays``, which must fit; after an error, the model is unchanged."""
    stacks: dict[int, tuple] = {}
    with unchanged_on_error(model):
        for key, slot in slots(model).items():
            if slot.index is None:
                slot.variable.assign(arrays[key])
            else:
                _, slices = stacks.setdefault(id(slot.variable), (slot.variable, []))
                slices.append(arrays[key])
        for variable, slices in stacks.values():
            variable.assign(np.stack(slices))


def check_fit(
    model: "keras.Model",
    arrays: Mapping[str, np.ndarray],
    source: str = "the weights",
    names: Mapping[str, str] | None = None,
    spare: Collection[str] = (),
) -> None:
    """Raise :class:`InputError` unless ``arrays`` are all the weights of ``model``, whose variables may be unallocated.

    Args:
        model: a network of this package.
        arrays: values by canonical name.
        source: the name of the weights in messages.
        names: the source's own name for each canonical name, for messages.
        spare: canonical names that the network may lack, such as the classifier's if it has no top.

    Raises:
        InputError: the first key that is missing, superfluous, or of another shape or type.
    """
    check_shapes({name: slot.shape for name, slot in slots(model).items()}, model.name, arrays, source, names, spare)


def check_shapes(
    shapes: Mapping[str, tuple],
    network: str,
    arrays: Mapping[str, np.ndarray],
    source: str,
    names: Mapping[str, str] | None = None,
    spare: Collection[str] = (),
) -> None:
    """Like :func:`check_fit`, for a ``network`` by name whose weights have these ``shapes`` by canonical name."""
    names = names or {}
    for key in list(shapes) + [key for key in arrays if key not in shapes and key not in spare]:
        needed = shapes.get(key, "no such weight")
        stored = tuple(arrays[key].shape) if key in arrays else "no such key"
        if needed != stored:
            called = shown(names.get(key, key))
            alias = f" ({shown(key)})" if names.get(key, key) != key else ""
            raise InputError(
                f"{source} does not fit {network}: {called}{alias} is {stored} in the file "
                f"and {needed} in the network; choose the network the weights were trained for."
            )
        if key in shapes:
            check_dtype(arrays[key], f"{source}: {shown(names.get(key, key))}")
