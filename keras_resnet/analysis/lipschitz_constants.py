"""Lipschitz constants: norms of convolutions, bounds for parts of a network, and local constants at images."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.analysis.block_jacobians import jacobian_grams, spectral_norm
from keras_resnet.analysis.parts import Part, split
from keras_resnet.analysis.precision import check_float32
from keras_resnet.backends import needs_tensorflow
from keras_resnet.layers import BatchNormalization, IdentityShortcut, Maxout, StochasticDepth
from keras_resnet.typing import Tensor
from keras_resnet.weights.folding import normalized_by

SOFTMAX = 0.5  # the largest eigenvalue of diag(p) - p p^T
NON_EXPANSIVE = (  # layers with constant 1 at most, in inference
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
    """Lipschitz constants of one part of a network.

    Fields:
        name: the part's name.
        bound: an upper bound from the norms of its layers; inf if a gate multiplies two maps.
        local: ``[images]``, the spectral norm of the part's Jacobian at each image, which is at most ``bound``.
        layers: spectral norms of its convolutions and fully connected layer, including their normalization.
    """

    name: str
    bound: float
    local: np.ndarray
    layers: dict[str, float]


def lipschitz(model: keras.Model, images: np.ndarray | Tensor) -> list[Lipschitz]:
    """The constants of each part of a network, in inference, for Euclidean norms.

    Args:
        model: a network of this package, looped or not, in float32, with a fixed input size.
        images: preprocessed images ``[count, height, width, channels]`` at which the local constants are measured.
    """
    needs_tensorflow("A Lipschitz constant", "tf.autodiff.ForwardAccumulator")
    check_float32("A Lipschitz constant", model)
    rows, x = [], tf.constant(images, tf.float32)
    for part in split(model):
        layers = layer_norms(part)
        labelled = {part.label(name): norm for name, norm in layers.items()}
        rows.append(Lipschitz(part.name, _bound(part, layers), local_constants(part.model, x), labelled))
        x = part.model(x, training=False)
    return rows


def layer_norms(part: Part) -> dict[str, float]:
    """The spectral norm of each linear layer of a part, at its actual input size, by the layer's name in the part."""
    norms, following = {}, normalized_by(part.layers)
    for layer in part.layers:
        if isinstance(layer, keras.layers.Conv2D):
            scale = _scale(following[layer.name]) if layer.name in following else np.ones(layer.filters)
            norms[layer.name] = convolution_norm(layer, scale)
        elif isinstance(layer, keras.layers.Dense):
            norms[layer.name] = float(np.linalg.norm(layer.kernel.numpy(), 2))
    return norms


def _scale(norm) -> np.ndarray:
    """The factor of each channel in a normalization in inference."""
    gamma = norm.gamma.numpy() if norm.scale else 1.0
    return gamma / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)


def convolution_norm(layer: keras.layers.Conv2D, scale: np.ndarray) -> float:
    """The largest singular value of a convolution with its padding, as a linear map at the layer's input size.

    The outputs are multiplied by ``scale`` ``[filters]``.
    """
    before = layer.input._keras_history.operation
    padding = before.padding if isinstance(before, keras.layers.ZeroPadding2D) else ((0, 0), (0, 0))
    height, width, channels = layer.input.shape[1:]
    shape = (1, height - sum(padding[0]), width - sum(padding[1]), channels)
    kernel = tf.cast(layer.kernel.value, tf.float32) * tf.constant(scale, tf.float32)

    def convolve(x, training):
        return tf.nn.conv2d(tf.pad(x, ((0, 0), *padding, (0, 0))), kernel, layer.strides, layer.padding.upper())

    return spectral_norm(*jacobian_grams(convolve, tf.zeros(shape)))


def local_constants(model: keras.Model, inputs: np.ndarray | Tensor) -> np.ndarray:
    """The spectral norms ``[count]`` of the Jacobian of ``model``, in inference, at ``inputs`` ``[count, ...]``."""
    return np.array([spectral_norm(gram) for gram in jacobian_grams(model, inputs)])


def _bound(part: Part, norms: dict[str, float]) -> float:
    """The product of the layers' constants along each path through a part; where paths join, they are added."""
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
    if isinstance(layer, keras.layers.MaxPooling2D):  # a position is in this many windows at most
        return math.sqrt(math.prod(math.ceil(p / s) for p, s in zip(layer.pool_size, layer.strides, strict=True)))
    if isinstance(layer, keras.layers.GlobalAveragePooling2D):
        return 1 / math.sqrt(math.prod(layer.input.shape[1:3]))
    return math.inf  # a highway gate multiplies two changing maps
