"""Weights of Keras models by layer: keras.applications' and our own, in files and in live models."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import CLASSIFIER, FIRST_BIAS, WEIGHTS, in_block, looped_blocks, read_name, weight_of
from keras_resnet.weights.file_bounds import shown
from keras_resnet.weights.preprocessing import CAFFE
from keras_resnet.weights.values import check_dtype

EPSILON = 1.001e-5  # of keras.applications' ResNets
CLASSIFIERS = (CLASSIFIER, "probs", "fc1000")  # the official files say probs


def convert(layers: dict[str, dict[str, np.ndarray]], source: str) -> dict:
    """A checkpoint's fields from ``{layer: {weight: array}}``, and pairs of names for the same weight.

    Weights may be numbered in Keras' order.

    keras.applications' convolutions have biases: they become part of the normalization behind them.
    """
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    twice: list[tuple[str, str]] = []
    for layer, weights in layers.items():
        ours = CLASSIFIER if layer in CLASSIFIERS else layer
        parts = read_name(ours)
        known = WEIGHTS.get(parts.kind or parts.stage, ()) if parts else ()
        for key, array in weights.items():
            check_dtype(array, f"{source}: {shown(layer)}/{shown(key)}")
            blocks = looped_blocks(ours, len(array)) if in_block(ours, key) and weight_of(key) else None
            if blocks is not None:
                placed = [
                    (str(in_block(block, key)), part, f"{layer}/{key}[{i}]")
                    for i, (block, part) in enumerate(zip(blocks, array, strict=True))
                ]
            else:
                weight = known[int(key)] if key.isdigit() and int(key) < len(known) else key
                if weight not in known:
                    raise InputError(
                        f"{source} has the weight {shown(layer)}/{shown(key)} of shape {tuple(array.shape)}, which no "
                        "ResNet here has: the network has no such weight."
                    )
                placed = [(f"{ours}/{weight}", array, f"{layer}/{key}")]
            for name, part, called in placed:
                if name in arrays:
                    twice.append((names[name], called))
                arrays[name], names[name] = part, called
    fields: dict[str, Any] = {"arrays": _without_biases(arrays, source), "names": names, "needs": {}, "twice": twice}
    if FIRST_BIAS in arrays:  # keras.applications; a network of ours describes itself
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
        parts = read_name(name)
        if parts is None or (parts.kind, parts.weight) != ("conv", "bias"):
            continue
        mean = str(replace(parts, kind="bn", weight="moving_mean"))
        if mean in kept:
            if kept[mean].shape != bias.shape:
                raise InputError(f"{source}: {name} is {bias.shape} and {mean} {kept[mean].shape}: use another file.")
            kept[mean] = kept[mean] - bias  # (x + b) - m = x - (m - b)
            del kept[name]
    return kept
