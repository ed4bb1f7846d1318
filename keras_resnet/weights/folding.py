"""Batch normalization folded into the convolutions before it, for inference."""

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop


def fold_batch_norm(model: keras.Model) -> keras.Model:
    """A new model with the outputs of ``model`` in inference, without the normalizations that follow a convolution.

    gamma (W x - mean) / sqrt(variance + epsilon) + beta is one convolution with a bias. Normalizations that follow
    something else, as in pre-activation networks, stay. Any Functional model; names of layers stay.

    Raises:
        InputError: the model has loops of blocks.
    """
    if any(isinstance(layer, BlockLoop) for layer in model.layers):
        raise InputError(f"{model.name} has loops of blocks: fold keras_resnet.convert(model, unroll=True).")
    shown = {id(tensor) for tensor in model.outputs}
    found = normalized_by(model.layers).items()
    pairs = {name: norm for name, norm in found if id(model.get_layer(name).output) not in shown}
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


def copied(model: keras.Model, copy, call=None) -> keras.Model:
    """A new model of the layers that ``copy(layer)`` gives, with new weights; it describes itself as ``model`` does.

    ``call(layer, inputs)`` applies a layer; default: calls it.
    """
    functional = keras.Model(model.input, model.output)  # Keras' own class is made again without what ours remembers
    clone = keras.models.clone_model(functional, clone_function=copy, call_function=call)
    if hasattr(model, "described"):
        clone = type(model)(clone.input, clone.output, name=model.name, **model.described())
    return clone


def normalized_by(layers: list) -> dict[str, keras.layers.Layer]:
    """Name of a convolution to the normalization that alone reads its output, among the ``layers`` of one graph."""
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
