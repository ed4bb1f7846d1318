"""Curvature of the loss: Hessian-vector products, largest eigenvalues, trace, and spectral density."""

import itertools
import math
from collections.abc import Callable, Iterable
from typing import get_args

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_resnet.analysis.lanczos import Spectrum, spectrum
from keras_resnet.analysis.precision import check_float32
from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError, one_of
from keras_resnet.evaluation import classifier_of
from keras_resnet.layers import BatchNormalization, BlockLoop
from keras_resnet.typing import Normalization, Tensor

TOLERANCE = 1e-3  # relative, of eigenvalues


def cross_entropy_of(model: keras.Model) -> Callable[[Tensor, Tensor], Tensor]:
    """The function from labels int ``[batch]`` and the outputs of ``model`` to cross-entropies ``[batch]``.

    Outputs are logits or probabilities, depending on the activation of the classifier of ``model``. For the output of a
    softmax, Keras computes the loss from the logits beneath it, so it is exact where these are hundreds apart.
    """
    are_logits = classifier_of(model).activation is keras.activations.linear

    def cross_entropy(labels: Tensor, outputs: Tensor) -> Tensor:
        return keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=are_logits)

    return cross_entropy


class Loss:
    """The mean cross-entropy of ``model`` on fixed images, without weight decay, as a function of its weights.

    Args:
        model: a network of this package with its classifier, looped or not, in float32.
        images: preprocessed images ``[count, height, width, channels]``.
        labels: int ``[count]``.
        normalization: ``"moving"`` uses batch normalization's moving statistics, which are constants, as in testing;
            dropout and stochastic depth are off. ``"batch"`` uses the statistics of each batch, which depend on the
            weights, as in training; dropout and stochastic depth are on, with one fixed draw.
        batch_size: images in one pass.

    Attributes:
        size: the number of trainable weights.
        weights: float32 ``[size]``, the weights of the model when this object was made.

    Raises:
        InputError: Keras does not run on TensorFlow; the model is not in float32; or with ``"batch"``, the model has
            Keras' own normalization, whose second derivatives are wrong in TensorFlow: ``tf.nn.moments`` treats the
            mean within the variance as a constant.
    """

    def __init__(
        self,
        model: keras.Model,
        images: np.ndarray | Tensor,
        labels: np.ndarray | Tensor,
        normalization: Normalization = "moving",
        batch_size: int = 128,
    ):
        needs_tensorflow("A loss with its derivatives", "tf.GradientTape")
        check_float32("A loss with its derivatives", model)
        one_of("normalization", normalization, get_args(Normalization))
        self.training = normalization == "batch"
        self.model = model
        self.cross_entropy = cross_entropy_of(model)
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
        self._value = tf.function(self._batch_loss, reduce_retracing=True, autograph=False)
        self._gradient = tf.function(self._batch_gradient, reduce_retracing=True, autograph=False)
        self._product = tf.function(self._batch_product, reduce_retracing=True, autograph=False)

    def take_weights(self) -> None:
        """Update :attr:`weights` and the moving statistics from the model."""
        self.weights = self.flat([v.value for v in self.variables]).numpy()
        self.states = [tf.identity(v.value) for v in self.model.non_trainable_variables]

    @staticmethod
    def flat(tensors: Iterable[Tensor]) -> tf.Tensor:
        """Tensors, in the order of the model's trainable variables, as one vector ``[size]``."""
        return tf.concat([tf.reshape(t, [-1]) for t in tensors], 0)

    def tensors(self, vector: np.ndarray | Tensor) -> list[tf.Tensor]:
        """A vector ``[size]`` as tensors with the shapes of the model's trainable variables."""
        parts = tf.split(tf.cast(vector, tf.float32), self.sizes)
        return [tf.reshape(part, shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def value(self, weights: np.ndarray | None = None) -> float:
        """The loss at ``weights`` ``[size]``, by default those of the model."""
        return float(self._mean(self._value, self._at(weights)))

    def gradient(self, weights: np.ndarray | None = None) -> np.ndarray:
        """The gradient ``[size]`` at ``weights`` ``[size]``, by default those of the model."""
        return self._mean(self._gradient, self._at(weights))

    def batch_gradient(self, batch: int) -> np.ndarray:
        """The gradient ``[size]`` of the loss of one batch, by its index, at the model's weights."""
        return self._gradient(*self.batches[batch], self._at(None)).numpy()

    def product(self, vector: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """The Hessian times ``vector``, ``[size]``: the gradient of the product of the gradient and ``vector``."""
        return self._mean(self._product, self._at(weights), tf.constant(vector, tf.float32))

    def hessian(self) -> LinearOperator:
        """The Hessian at the model's weights, as an operator for ``scipy.sparse.linalg``."""
        return LinearOperator((self.size, self.size), matvec=lambda v: self.product(v.ravel()), dtype=np.float64)

    def _at(self, weights):
        return tf.constant(self.weights if weights is None else weights, tf.float32)

    def _mean(self, function, *arguments):
        """The mean over the batches, weighted by their numbers of images."""
        return sum(len(y) / self.count * function(x, y, *arguments).numpy().astype(float) for x, y in self.batches)

    def _batch_loss(self, images, labels, weights):
        scores, _ = self.model.stateless_call(self.tensors(weights), self.states, images, training=self.training)
        return tf.reduce_mean(self.cross_entropy(labels, scores))

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
    inner = (layer.block.layers if isinstance(layer, BlockLoop) else [layer] for layer in model.layers)
    for layer in itertools.chain.from_iterable(inner):
        if isinstance(layer, keras.layers.BatchNormalization) and not (
            isinstance(layer, BatchNormalization) and layer.fusible(layer.input)
        ):
            raise InputError(
                f"TensorFlow's second derivatives of {layer.name} are wrong because its normalization is not fused "
                "(maps of one position, float64, Keras' own layer): use normalization='moving', or float32 and larger "
                "images."
            )


def top_eigenvalues(loss: Loss, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues of the Hessian, in descending order, and their vectors ``[size, count]`` (ARPACK).

    All are zero where every second derivative is, as where softmax saturates on the right classes.
    """
    start = np.random.default_rng(0).normal(size=loss.size)
    if not loss.product(start).any():  # which ARPACK refuses
        return np.zeros(count), np.eye(loss.size, count)
    values, vectors = eigsh(loss.hessian(), k=count, which="LA", tol=TOLERANCE, v0=start)
    return values[::-1], vectors[:, ::-1]


def trace(loss: Loss, probes: int = 20, seed: int = 0) -> tuple[float, float]:
    """An estimate of the Hessian's trace, and its standard error, from vectors of random signs (Hutchinson 1990)."""
    rng = np.random.default_rng(seed)
    draws = [rng.choice([-1.0, 1.0], loss.size) for _ in range(probes)]
    estimates = [v @ loss.product(v) for v in draws]
    return float(np.mean(estimates)), float(np.std(estimates, ddof=1) / np.sqrt(probes))


def spectral_density(loss: Loss, steps: int = 30, probes: int = 4, seed: int = 0) -> Spectrum:
    """The distribution of the Hessian's eigenvalues; see :func:`keras_resnet.analysis.lanczos.spectrum`."""
    return spectrum(loss.hessian(), steps, probes, seed)
