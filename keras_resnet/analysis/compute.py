"""Multiply-adds of a network (the FLOPs of Table 1)."""

import contextlib
import math
from collections.abc import Iterator

import keras

from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D)


@contextlib.contextmanager
def shapes_alone() -> Iterator[None]:
    """Build networks within this context without values for their variables, in a fifth of the time.

    They can be counted (:func:`multiply_adds`, :func:`~keras_resnet.analysis.layer_costs`) but not called.
    """
    from keras.src.backend.common import global_state

    with keras.StatelessScope(initialize_variables=False):
        try:
            yield
        finally:  # Keras would give them values at the end of the next scope
            global_state.set_global_attribute("uninitialized_variables", [])


def multiply_adds(model: keras.Model, input_shape: tuple[int, int, int] | None = None) -> int:
    """Multiply-adds of the convolutions and fully connected layers for one image (Table 1).

    Args:
        model: any Functional model.
        input_shape: ``(height, width, channels)``, for a model whose height and width are None.

    Raises:
        InputError: the input's shape is not known.
    """
    if input_shape is not None and tuple(input_shape) != model.inputs[0].shape[1:]:
        model = keras.models.clone_model(model, input_tensors=keras.Input(input_shape))
    if None in model.inputs[0].shape[1:]:
        raise InputError(
            f"{model.name} takes images of shape {model.inputs[0].shape[1:]}: give "
            "input_shape=(height, width, channels)."
        )
    return sum(layer_multiply_adds(layer) for layer in model.layers)


def layer_multiply_adds(layer: keras.layers.Layer) -> int:
    """Multiply-adds of one layer for one image; those of other layers than convolutions and dense ones count 0."""
    if isinstance(layer, BlockLoop):
        return layer.repeats * multiply_adds(layer.block, tuple(layer.input.shape[1:]))
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if isinstance(layer, CONVOLUTIONS):  # a separable one has two kernels
        kernels = (math.prod(weight.shape) for weight in layer.weights if len(weight.shape) == 4)
        return sum(kernels) * math.prod(layer.output.shape[1:3])
    if isinstance(layer, keras.layers.Dense):
        return math.prod(layer.kernel.shape)
    return 0
