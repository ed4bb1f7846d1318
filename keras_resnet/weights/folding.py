"""Batch normalization folded into the convolutions before it, for inference."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """A new model with the same outputs in inference, but without the normalizations that follow a convolution.

    gamma (W x - mean) / sqrt(variance + epsilon) + beta is one convolution with a bias. Normalizations that follow
    another layer, as in pre-activation networks, are kept. ``model`` may be any Functional model; layer names are kept.

    Raises:
        InputError: the model has loops of blocks.
    """
    if any(isinstance(layer, BlockLoop) for layer in model.layers):
        raise InputError(f"{model.name} has loops of blocks: fold keras_resnet.convert(model, unroll=True).")
    outputs = {id(tensor) for tensor in model.outputs}
    followed = normalized_by(model.layers).items()
    pairs = {name: norm for name, norm in followed if id(model.get_layer(name).output) not in outputs}
    folded_away = {norm.name for norm in pairs.values()}

    def copy(layer):
        config = layer.get_config()
        if layer.name in pairs:
            config |= {"use_bias": True}
        return type(layer).from_config(config)

    def call(layer, *args, **kwargs):
        return args[0] if layer.name in folded_away else layer(*args, **kwargs)

    clone = copied(model, copy, call)
    for layer in (layer for layer in clone.layers if layer.weights):
        values = model.get_layer(layer.name).get_weights()
        if layer.name in pairs:
            values = _folded(values, pairs[layer.name])
        layer.set_weights(values)
    return clone


def copied(
    model: keras.Model,
    copy: Callable[[keras.layers.Layer], keras.layers.Layer],
    call: Callable[..., Any] | None = None,
) -> keras.Model:
    """A new model of the layers ``copy(layer)``, with new weights and the description of ``model``.

    ``call(layer, inputs)`` applies a layer; by default the layer is called.
    """
    functional = keras.Model(model.input, model.output)  # clone_model cannot make our class, which needs a description
    clone = keras.models.clone_model(functional, clone_function=copy, call_function=call)
    if hasattr(model, "described"):
        clone = type(model)(clone.input, clone.output, name=model.name, **model.described())
    return clone


def normalized_by(layers: list) -> dict[str, keras.layers.Layer]:
    """The normalization after each convolution, by the convolution's name, if it is the only reader of its output.

    ``layers`` are the layers of one graph.
    """
    readers: dict[int, list] = {}
    for layer in layers:
        for tensor in _inputs_of(layer):
            readers.setdefault(id(tensor), []).append(layer)
    pairs: dict = {}
    for layer in layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.activation is keras.activations.linear:
            reading = readers.get(id(layer.output), [])
            if len(reading) == 1 and isinstance(reading[0], keras.layers.BatchNormalization):
                pairs |= {layer.name: reading[0]} if reading[0].axis in (-1, 3) else {}
    return pairs


def _inputs_of(layer) -> list:
    if isinstance(layer, keras.layers.InputLayer):
        return []
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _folded(values, norm):
    kernel, bias = values[0].astype(np.float64), (values[1] if len(values) > 1 else 0.0)
    statistics = norm.moving_mean.numpy().astype(np.float64), norm.moving_variance.numpy().astype(np.float64)
    gamma = norm.gamma.numpy() if norm.scale else 1.0
    beta = norm.beta.numpy() if norm.center else 0.0
    scale = gamma / np.sqrt(statistics[1] + norm.epsilon)
    return [kernel * scale, beta + (bias - statistics[0]) * scale]
