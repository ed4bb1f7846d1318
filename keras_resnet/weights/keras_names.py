"""Conversion of Keras models' weights by layer, in files and in memory: those of keras.applications and our own."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import CLASSIFIER, FIRST_BIAS, WEIGHTS, in_block, looped_blocks, read_name, weight_of
from keras_resnet.weights.file_bounds import shown
from keras_resnet.weights.preprocessing import CAFFE
from keras_resnet.weights.values import check_dtype

if TYPE_CHECKING:
    import keras

EPSILON = 1.001e-5  # of keras.applications' ResNets
CLASSIFIERS = (CLASSIFIER, "probs", "fc1000")  # the official files say probs


def convert(layers: dict[str, dict[str, np.ndarray]], source: str) -> dict[str, Any]:
    """The fields of a :class:`TrainedWeights` from ``{layer: {weight: array}}``, and pairs of names for one weight.

    Weights may have numbers, in Keras' order, instead of names. The biases of keras.applications' convolutions are
    merged into the normalization after them. Messages call the weights ``source``.
    """
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    twice: list[tuple[str, str]] = []
    for layer, weights in layers.items():
        canonical = CLASSIFIER if layer in CLASSIFIERS else layer
        parts = read_name(canonical)
        known = WEIGHTS.get(parts.kind or parts.stage, ()) if parts else ()
        for key, array in weights.items():
            check_dtype(array, f"{source}: {shown(layer)}/{shown(key)}")
            blocks = looped_blocks(canonical, len(array)) if in_block(canonical, key) and weight_of(key) else None
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
                placed = [(f"{canonical}/{weight}", array, f"{layer}/{key}")]
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


def layers_of(model: "keras.Model") -> dict[str, dict[str, np.ndarray]]:
    """``{layer: {number: array}}`` of a Keras model."""
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
