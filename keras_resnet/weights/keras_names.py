"""Weights of Keras models by layer: keras.applications' and our own, in files and in live models."""

import re

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.weights.bounds import shown
from keras_resnet.weights.named import LOOP_NAME
from keras_resnet.weights.preprocessing import CAFFE
from keras_resnet.weights.values import check_dtype

EPSILON = 1.001e-5  # of keras.applications' ResNets
CLASSIFIERS = ("predictions", "probs", "fc1000")  # the official files say probs
KINDS = {  # the end of a layer's name to its weights in Keras' order
    "_conv": ("kernel", "bias"),
    "_gate": ("kernel", "bias"),
    "_bn": ("gamma", "beta", "moving_mean", "moving_variance"),
    "_drop": ("rate",),
}
STACKED = re.compile(r"block_(?P<layer>\w+)_(?P<weight>kernel|bias|gamma|beta|moving_mean|moving_variance|rate)$")


def convert(layers: dict[str, dict[str, np.ndarray]], source: str) -> dict:
    """A checkpoint's fields from ``{layer: {weight: array}}``, and pairs of names for the same weight.

    Weights may be numbered in Keras' order.

    keras.applications' convolutions have biases: they become part of the normalization behind them.
    """
    arrays, names, twice = {}, {}, []
    for layer, weights in layers.items():
        ours = "predictions" if layer in CLASSIFIERS else layer
        kind = next((kind for kind in KINDS if ours.endswith(kind)), "_conv" if ours == "predictions" else None)
        for key, array in weights.items():
            check_dtype(array, f"{source}: {shown(layer)}/{shown(key)}")
            loop, stacked = LOOP_NAME.match(ours), STACKED.match(key)
            if loop and stacked:
                first = int(loop["last"]) - len(array) + 1
                placed = [
                    (f"{loop['stage']}{first + i}_{stacked['layer']}/{stacked['weight']}", part, f"{layer}/{key}[{i}]")
                    for i, part in enumerate(array)
                ]
            else:
                known = KINDS.get(kind, ())
                weight = known[int(key)] if key.isdigit() and int(key) < len(known) else key
                if weight not in known or not ours.startswith(("conv", "post_", "predictions")):
                    raise InputError(
                        f"{source} has the weight {shown(layer)}/{shown(key)} of shape {tuple(array.shape)}, which no "
                        "ResNet here has: the network has no such weight."
                    )
                placed = [(f"{ours}/{weight}", array, f"{layer}/{key}")]
            for name, part, called in placed:
                if name in arrays:
                    twice.append((names[name], called))
                arrays[name], names[name] = part, called
    fields = {"arrays": _without_biases(arrays, source), "names": names, "needs": {}, "twice": twice}
    if "conv1_conv/bias" in arrays:  # keras.applications; a network of ours describes itself
        fields["needs"] = {"stem": "imagenet", "block": "bottleneck", "residual": True, "placement": "original"}
        fields["needs"] |= {"shortcut": "B", "stride_in": "1x1", "bn_epsilon": EPSILON}
        fields["preprocessing"] = CAFFE
    return fields


def layers_of(model) -> dict[str, dict[str, np.ndarray]]:
    """``{layer: {number: array}}`` of a live Keras model."""
    return {
        layer.name: {str(i): v.numpy() for i, v in enumerate(layer.weights)} for layer in model.layers if layer.weights
    }


def _without_biases(arrays, source: str):
    kept = dict(arrays)
    for name, bias in arrays.items():
        mean = name.replace("_conv/bias", "_bn/moving_mean")
        if mean != name and mean in kept:
            if kept[mean].shape != bias.shape:
                raise InputError(f"{source}: {name} is {bias.shape} and {mean} {kept[mean].shape}: use another file.")
            kept[mean] = kept[mean] - bias  # (x + b) - m = x - (m - b)
            del kept[name]
    return kept
