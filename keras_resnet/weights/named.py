"""Canonical names of a network's weights, equal for unrolled and looped networks: ``conv2_block3_1_conv/kernel``."""

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import Slot, structure_of
from keras_resnet.weights.file_bounds import shown, unchanged_on_error
from keras_resnet.weights.values import check_dtype


def slots(model) -> dict[str, Slot]:
    """Canonical name to :class:`Slot` of every trainable weight and moving statistic, in the network's order."""
    return {name: slot for part in structure_of(model).parts for name, slot in part.weights.items()}


def named_arrays(model) -> dict[str, np.ndarray]:
    """Every weight and moving statistic of ``model`` by canonical name."""
    values = {}
    arrays = {}
    for name, slot in slots(model).items():
        if id(slot.variable) not in values:
            values[id(slot.variable)] = slot.variable.numpy()
        value = values[id(slot.variable)]
        arrays[name] = value if slot.index is None else value[slot.index]
    return arrays


def assign_arrays(model, arrays: dict[str, np.ndarray], source: str = "the weights", names=None, spare=()) -> None:
    """Set every weight of ``model`` from ``arrays``, after :func:`check_fit`; an error changes nothing.

    Args and errors are those of :func:`check_fit`.
    """
    check_fit(model, arrays, source, names, spare)
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


def check_fit(model, arrays: dict[str, np.ndarray], source: str = "the weights", names=None, spare=()) -> None:
    """Raise :class:`InputError` unless ``arrays`` are all the weights of ``model``; it may have no memory yet.

    Args:
        model: a network of this package.
        arrays: values by canonical name.
        source: what the error message calls them.
        names: canonical name to the name in the source, for messages.
        spare: canonical names the network may lack, as the classifier of one without its top.

    Raises:
        InputError: naming the first missing or extra key, wrong shape, with both shapes, or wrong type.
    """
    check_shapes({name: slot.shape for name, slot in slots(model).items()}, model.name, arrays, source, names, spare)


def check_shapes(wanted: dict[str, tuple], network: str, arrays, source: str, names=None, spare=()) -> None:
    """The same for the network so called, whose weights have the ``wanted`` shapes by canonical name."""
    names = names or {}
    for key in list(wanted) + [key for key in arrays if key not in wanted and key not in spare]:
        there = wanted.get(key, "no such weight")
        here = tuple(arrays[key].shape) if key in arrays else "no such key"
        if there != here:
            called = shown(names.get(key, key))
            alias = f" ({shown(key)})" if names.get(key, key) != key else ""
            raise InputError(
                f"{source} does not fit {network}: {called}{alias} is {here} in the file "
                f"and {there} in the network; choose the network the weights were trained for."
            )
        if key in wanted:
            check_dtype(arrays[key], f"{source}: {shown(names.get(key, key))}")
