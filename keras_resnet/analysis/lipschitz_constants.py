"""Lipschitz constants: norms of convolutions, bounds of layers and blocks, and constants measured at images."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.analysis.block_jacobians import jacobian_grams, spectral_norm
from keras_resnet.analysis.parts import Part, split
from keras_resnet.layers import BatchNormalization, IdentityShortcut, Maxout, StochasticDepth
from keras_resnet.weights.folding import normalized_by

SOFTMAX = 0.5  # the largest eigenvalue of diag(p) - p p^T
NON_EXPANSIVE = (  # in inference
    keras.layers.ReLU,
    keras.layers.ZeroPadding2D,
    keras.layers.AveragePooling2D,  # shortcut A's subsampling
    keras.layers.Dropout,
    IdentityShortcut,
    Maxout,
    StochasticDepth,
)


@dataclass(frozen=True)
class Lipschitz:
    """Of one part of a network: ``bound``, from its layers' norms, and ``local``, the norm of its Jacobian at images.

    Fields:
        name: the part's.
        bound: no change of the input makes a larger change of the output, relative to it; inf where a gate multiplies.
        local: ``[images]``, the spectral norm of the Jacobian at each image: at most ``bound``.
        layers: spectral norms of its convolutions and of its fully connected layer, normalization folded in.
    """

    name: str
    bound: float
    local: np.ndarray
    layers: dict[str, float]


def lipschitz(model: keras.Model, images) -> list[Lipschitz]:
    """The constants of each part of a network of this package, in inference, for Euclidean norms.

    Args:
        model: looped or not, of a fixed input size.
        images: preprocessed, ``[count, height, width, channels]``, at which the local constants are measured.
    """
    found, x = [], tf.constant(images, tf.float32)
    for part in split(model):
        layers = layer_norms(part)
        labelled = {part.label(name): norm for name, norm in layers.items()}
        found.append(Lipschitz(part.name, _bound(part, layers), local_constants(part.model, x), labelled))
        x = part.model(x, training=False)
    return found


def layer_norms(part: Part) -> dict[str, float]:
    """Spectral norm of each linear layer of a part at the size it really has, by the layer's name in the part."""
    norms, following = {}, normalized_by(part.layers)
    for layer in part.layers:
        if isinstance(layer, keras.layers.Conv2D):
            scale = _scale(following[layer.name]) if layer.name in following else np.ones(layer.filters)
            norms[layer.name] = convolution_norm(layer, scale)
        elif isinstance(layer, keras.layers.Dense):
            norms[layer.name] = float(np.linalg.norm(layer.kernel.numpy(), 2))
    return norms


def _scale(norm) -> np.ndarray:
    """What a normalization multiplies each channel by in inference."""
    gamma = norm.gamma.numpy() if norm.scale else 1.0
    return gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)


def convolution_norm(layer: keras.layers.Conv2D, scale) -> float:
    """The largest singular value of a convolution and its padding as one linear map at the layer's own input size.

    ``scale`` ``[filters]`` multiplies its outputs.
    """
    before = layer.input._keras_history.operation
    padding = before.padding if isinstance(before, keras.layers.ZeroPadding2D) else ((0, 0), (0, 0))
    height, width, channels = layer.input.shape[1:]
    shape = (1, height - sum(padding[0]), width - sum(padding[1]), channels)
    kernel = tf.cast(layer.kernel.value, tf.float32) * tf.constant(scale, tf.float32)

    def convolve(x, training):
        return tf.nn.conv2d(tf.pad(x, ((0, 0), *padding, (0, 0))), kernel, layer.strides, layer.padding.upper())

    return spectral_norm(*jacobian_grams(convolve, tf.zeros(shape)))


def local_constants(model: keras.Model, inputs) -> np.ndarray:
    """The spectral norm of the Jacobian of ``model`` in inference at each of ``inputs``, ``[count]``."""
    return np.array([spectral_norm(gram) for gram in jacobian_grams(model, inputs)])


def _bound(part: Part, norms: dict[str, float]) -> float:
    """The product of the layers' constants along each path of a part, added up where paths join."""
    bounds = {id(part.input): 1.0}
    folded = {norm.name for norm in normalized_by(part.layers).values()}
    for layer in part.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        bounds[id(layer.output)] = _constant(layer, norms, folded) * sum(bounds[id(x)] for x in inputs)
    return bounds[id(part.output)]


def _constant(layer, norms, folded) -> float:
    if layer.name in norms:
        return norms[layer.name] * (SOFTMAX if layer.activation is keras.activations.softmax else 1.0)
    if layer.name in folded or isinstance(layer, (keras.layers.Add, *NON_EXPANSIVE)):
        return 1.0
    if isinstance(layer, BatchNormalization):
        return float(np.abs(_scale(layer)).max())
    if isinstance(layer, keras.layers.MaxPooling2D):  # a position is in so many windows
        return math.sqrt(math.prod(math.ceil(p / s) for p, s in zip(layer.pool_size, layer.strides, strict=True)))
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        return 1 / math.sqrt(math.prod(layer.input.shape[1:3]))
    return math.inf  # a highway gate multiplies two changing maps
