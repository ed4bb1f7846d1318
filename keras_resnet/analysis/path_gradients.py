"""A residual network as an ensemble of paths: the number of paths of each length, and the gradients they carry."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy.stats import binom

from keras_resnet.analysis.curvature import cross_entropy_of
from keras_resnet.analysis.lesions import rejoined
from keras_resnet.analysis.parts import split
from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor


@dataclass(frozen=True)
class Paths:
    """Statistics of the paths through a network's residual blocks, by length (Veit et al. 2016, Fig. 6).

    The length of a path is the number of branches that it takes.

    Fields:
        lengths: ``[n]``, the lengths for which gradients were measured.
        shares: ``[n]``, the fraction of all 2^L paths that have each length.
        gradients: ``[n]``, the mean norm of the gradient at the first block's input along one path of each length.
        contributions: ``[n]``, shares times gradients, normalized: the share of the gradient from each length.
    """

    lengths: np.ndarray
    shares: np.ndarray
    gradients: np.ndarray
    contributions: np.ndarray

    @property
    def effective_length(self) -> float:
        """The mean length of paths, weighted by their gradients."""
        return float(self.lengths @ self.contributions)


def paths(
    model: keras.Model,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    lengths: Sequence[int] | np.ndarray | None = None,
    draws: int = 10,
    seed: int = 0,
) -> Paths:
    """Statistics of paths for the gradient of the cross-entropy at ``images``, in inference.

    The forward pass is that of the network. In the backward pass, a path of length k takes the branch in k blocks drawn
    at random, and the shortcut in the others.

    Args:
        model: a residual network of this package with its classifier, looped or not.
        images: preprocessed images ``[count, height, width, channels]``.
        labels: int ``[count]``.
        lengths: the lengths to measure, from 0 to the number of blocks; all if None.
        draws: number of paths of each length.
        seed: of the random paths.
    """
    needs_tensorflow("The gradient of paths", "tf.GradientTape")
    stem, *blocks, head = split(model)
    if not model.spec.residual:
        raise InputError(f"{model.name} is a plain network, which has only one path: give a residual network.")
    x = tf.constant(stem.model(images, training=False))
    inputs = []
    for part in blocks:
        inputs.append(x)
        x = part.model(x, training=False)
    with tf.GradientTape() as tape:
        tape.watch(x)
        losses = cross_entropy_of(model)(labels, head.model(x, training=False))
    top = tape.gradient(losses, x)
    back = [_backward(part) for part in blocks]
    lengths = np.arange(len(blocks) + 1) if lengths is None else np.asarray(lengths)
    rng = np.random.default_rng(seed)
    means: list[float] = []
    for length in lengths:
        sizes = []
        for _ in range(draws):
            taken = set(rng.choice(len(blocks), length, replace=False))
            gradient = top
            for i in reversed(range(len(blocks))):
                gradient = back[i](inputs[i], gradient, tf.constant(i in taken))
            sizes.append(float(tf.reduce_mean(tf.norm(tf.reshape(gradient, [len(images), -1]), axis=1))))
        means.append(float(np.mean(sizes)))
    shares, norms = binom.pmf(lengths, len(blocks), 0.5), np.array(means)
    return Paths(lengths, shares, norms, shares * norms / max(np.sum(shares * norms), 1e-300))


def _backward(part):
    """A function from (input, gradient of the output, whether the path takes the branch) to the input's gradient."""
    branch = rejoined(part, lambda s, b: keras.layers.Add()([StopGradient()(s), b]))
    shortcut = rejoined(part, lambda s, b: keras.layers.Add()([s, StopGradient()(b)]))

    def through(model, x, gradient):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = model(x, training=False)
        return tape.gradient(y, x, gradient)

    @tf.function(autograph=False)
    def backward(x, gradient, take):
        return tf.cond(take, lambda: through(branch, x, gradient), lambda: through(shortcut, x, gradient))

    return backward


class StopGradient(keras.layers.Layer):
    """The identity, with a gradient of zero."""

    def call(self, inputs: Tensor) -> Tensor:
        return keras.ops.stop_gradient(inputs)
