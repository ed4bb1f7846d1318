"""Curvature of the loss: Hessian-vector products, largest eigenvalues, trace, and density of the spectrum."""

import math
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_resnet.analysis.lanczos import Spectrum, spectrum
from keras_resnet.errors import InputError, one_of
from keras_resnet.evaluation import classifier_of
from keras_resnet.layers import BatchNormalization, BlockLoop

NORMALIZATIONS = ("moving", "batch")
TINY = 1e-37  # the smallest probability whose logarithm is taken


class Loss:
    """The mean cross-entropy of ``model`` on fixed images, without decay, as a function of its trainable weights.

    Args:
        model: a network of this package with its classifier, looped or not, in float32.
        images: preprocessed, ``[count, height, width, channels]``.
        labels: int ``[count]``.
        normalization: ``"moving"``: batch normalization by its moving statistics, as in testing, constants here;
            ``"batch"``: by those of each batch, as in training, which the weights change. Dropout and stochastic
            depth are off with ``"moving"``; with ``"batch"`` they are on, with one fixed draw.
        batch_size: images in one pass.

    Attributes:
        size: how many weights there are.
        weights: float32 ``[size]``, those of the model when the loss was made.

    Raises:
        InputError: with ``"batch"``, a model whose normalization is Keras' own, of which TensorFlow's second
            derivatives are wrong: ``tf.nn.moments`` takes the mean in the variance for a constant.
    """

    def __init__(
        self,
        model: keras.Model,
        images,
        labels,
        normalization: Literal["moving", "batch"] = "moving",
        batch_size: int = 128,
    ):
        one_of("normalization", normalization, NORMALIZATIONS)
        self.training = normalization == "batch"
        self.model = model
        self.logits = classifier_of(model).activation is keras.activations.linear
        if self.training:
            _check_normalizations(self.model)
        self.variables = self.model.trainable_variables
        self.shapes = [tuple(v.shape) for v in self.variables]
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.size = sum(self.sizes)
        self.take_weights()
        starts = range(0, len(images), batch_size)
        batches = [(images[i : i + batch_size], labels[i : i + batch_size]) for i in starts]
        self.batches = [(tf.constant(x, tf.float32), tf.constant(y, tf.int32)) for x, y in batches]
        self.count = len(images)
        self._value = tf.function(self._batch_loss, reduce_retracing=True)
        self._gradient = tf.function(self._batch_gradient, reduce_retracing=True)
        self._product = tf.function(self._batch_product, reduce_retracing=True)

    def take_weights(self) -> None:
        """Take the weights and moving statistics that the model has now."""
        self.weights = self.flat([v.value for v in self.variables]).numpy()
        self.states = [tf.identity(v.value) for v in self.model.non_trainable_variables]

    @staticmethod
    def flat(tensors) -> tf.Tensor:
        """Tensors in the order of the model's trainable variables as one vector, ``[size]``."""
        return tf.concat([tf.reshape(t, [-1]) for t in tensors], 0)

    def tensors(self, vector) -> list[tf.Tensor]:
        """A vector ``[size]`` as tensors of the shapes of the model's trainable variables."""
        parts = tf.split(tf.cast(vector, tf.float32), self.sizes)
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def value(self, weights=None) -> float:
        """The loss at ``weights``, or at the model's own."""
        return float(self._mean(self._value, self._at(weights)))

    def gradient(self, weights=None) -> np.ndarray:
        """The gradient, ``[size]``."""
        return self._mean(self._gradient, self._at(weights))

    def batch_gradient(self, batch: int) -> np.ndarray:
        """The gradient of one of the batches at the model's weights, ``[size]``."""
        return self._gradient(*self.batches[batch], self._at(None)).numpy()

    def product(self, vector, weights=None) -> np.ndarray:
        """The Hessian times ``vector``, ``[size]``, by differentiating the gradient's product with it."""
        return self._mean(self._product, self._at(weights), tf.constant(vector, tf.float32))

    def hessian(self) -> LinearOperator:
        """The Hessian at the model's weights for ``scipy.sparse.linalg``."""
        return LinearOperator((self.size, self.size), matvec=lambda v: self.product(v.ravel()), dtype=np.float64)

    def _at(self, weights):
        return tf.constant(self.weights if weights is None else weights, tf.float32)

    def _mean(self, function, *arguments):
        """Over the batches, weighted by their images."""
        return sum(len(y) / self.count * function(x, y, *arguments).numpy().astype(float) for x, y in self.batches)

    def _batch_loss(self, images, labels, weights):
        scores, _ = self.model.stateless_call(self.tensors(weights), self.states, images, training=self.training)
        scores = scores if self.logits else tf.math.log(tf.maximum(scores, TINY))  # logits but for a constant
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores))

    def _batch_gradient(self, images, labels, weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            loss = self._batch_loss(images, labels, weights)
        return tape.gradient(loss, weights)

    def _batch_product(self, images, labels, weights, vector):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            along = tf.tensordot(self._batch_gradient(images, labels, weights), vector, 1)
        return tape.gradient(along, weights)


def _check_normalizations(model):
    layers = [
        each for layer in model.layers for each in (layer.block.layers if isinstance(layer, BlockLoop) else [layer])
    ]
    for layer in layers:
        if isinstance(layer, keras.layers.BatchNormalization) and not (
            isinstance(layer, BatchNormalization) and layer.fusible(layer.input)
        ):
            raise InputError(
                f"The second derivatives of {layer.name} are wrong in TensorFlow where normalization is not fused "
                "(maps of one position, float64, Keras' own layer): give normalization='moving', or float32 and larger "
                "images."
            )


def top_eigenvalues(loss: Loss, count: int = 1, tolerance: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest eigenvalues of the Hessian, descending, and their vectors ``[size, count]`` (ARPACK)."""
    start = np.random.default_rng(0).normal(size=loss.size)
    values, vectors = eigsh(loss.hessian(), k=count, which="LA", tol=tolerance, v0=start)
    return values[::-1], vectors[:, ::-1]


def trace(loss: Loss, probes: int = 20, seed: int = 0) -> tuple[float, float]:
    """The Hessian's trace and the estimate's standard error, from random signs (Hutchinson 1990)."""
    rng = np.random.default_rng(seed)
    draws = [rng.choice([-1.0, 1.0], loss.size) for _ in range(probes)]
    estimates = [v @ loss.product(v) for v in draws]
    return float(np.mean(estimates)), float(np.std(estimates, ddof=1) / np.sqrt(probes))


def spectral_density(loss: Loss, steps: int = 30, probes: int = 4, seed: int = 0) -> Spectrum:
    """The distribution of the Hessian's eigenvalues; see :func:`keras_resnet.analysis.lanczos.spectrum`."""
    return spectrum(loss.hessian(), steps, probes, seed)
