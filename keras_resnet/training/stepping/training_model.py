"""Training a classifier: its losses, its error rates, and the examples it gets wrong."""

from collections.abc import Callable
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_resnet.errors import InputError
from keras_resnet.evaluation import ErrorRate, TopKErrorRate
from keras_resnet.evaluation.classifier import classifier_of
from keras_resnet.layers import BatchNormalization, BlockLoop
from keras_resnet.network import Network
from keras_resnet.training.display.mistakes import WorstMistakes
from keras_resnet.training.stepping.step import Step
from keras_resnet.typing import Tensor

TOP_K = 5
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From labels and logits to the losses of the examples, ``[batch]``."""


class Logits(keras.layers.Layer):
    """The output of ``classifier`` before its activation; shares the classifier's weights."""

    def __init__(self, classifier: keras.layers.Dense):
        super().__init__(name=f"{classifier.name}_logits", dtype=classifier.dtype_policy)
        self.classifier = classifier

    def call(self, features: Tensor) -> Tensor:
        return ops.add(ops.matmul(features, self.classifier.kernel), self.classifier.bias)


class TrainingModel(Step, keras.Model):
    """``network`` up to its logits, with the training step of :class:`Step`; shares the network's layers and weights.

    Labels are int ``[batch]``, or float ``[batch, classes]`` where they are mixed or smoothed. ``mistakes`` holds the
    worst mistakes of the last evaluation.

    Args:
        network: to train.
        class_weights: factors of the training losses of each class, float32 ``[classes]``; None for 1.
        loss: of the examples, without those factors.
    """

    def __init__(self, network: Network, class_weights: np.ndarray | None = None, loss: Loss | None = None):
        classifier = classifier_of(network)
        super().__init__(network.input, Logits(classifier)(classifier.input), name=network.name)
        self.network = network
        self.values_size = network.output_shape[-1]
        self.train_metrics = [keras.metrics.Mean(name="loss"), ErrorRate()]
        self.train_metrics += [TopKErrorRate(TOP_K)] if self.values_size > 2 * TOP_K else []
        self.mistakes = WorstMistakes(network.input_shape[1:])
        self.class_weights, self.losses_of = class_weights, loss or cross_entropy
        self.final: dict = {}  # FinalAnswers by part, at the end of a run

    def saved(self) -> Network:
        """The network itself, with its softmax."""
        return self.network

    def forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Losses ``[batch]`` and logits ``[batch, classes]`` in training mode."""
        logits = self(images, training=True)
        losses = self.losses_of(labels, logits)
        if self.class_weights is not None:
            losses *= weights_of(labels, self.class_weights)
        return losses, logits

    def update_metrics(self, data: tuple[Tensor, ...], losses: Tensor, logits: Tensor) -> None:
        """Update the loss and the error rates with one batch."""
        self._update_metrics(losses, data[1], logits)

    def test_step(self, data: tuple[Tensor, ...]) -> None:
        images, labels, *weights = data
        logits = self(images, training=False)
        losses = self.losses_of(labels, logits)
        self._update_metrics(losses, labels, logits, *weights)
        self.mistakes.update(images, labels, logits, losses, *weights)

    def _update_metrics(self, losses, labels, logits, weights=None):
        if labels.shape.rank == 2:
            labels = tf.argmax(labels, axis=-1)
        loss, *error_rates = self.train_metrics
        loss.update_state(losses, weights)
        for metric in error_rates:
            metric.update_state(labels, logits, weights)


def cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """Losses ``[batch]`` of logits ``[batch, classes]`` for int labels, or for distributions over the classes."""
    if labels.shape.rank == 2:
        return keras.losses.categorical_crossentropy(labels, logits, from_logits=True)
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def binary_cross_entropy(labels: Tensor, logits: Tensor) -> Tensor:
    """The same where each class is told from all others by itself: binary cross-entropies, summed over the classes.

    Wightman et al. 2021 take the mean; the sum keeps the size of the gradients that the learning rates are meant for.
    """
    if labels.shape.rank != 2:
        labels = tf.one_hot(labels, logits.shape[-1])
    return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32)), axis=-1)


def weights_of(labels: Tensor, class_weights: np.ndarray) -> Tensor:
    """The weight of each example, float32 ``[batch]``: that of its class, or the mean over its mixed classes."""
    if labels.shape.rank == 2:
        return tf.linalg.matvec(labels, class_weights)
    return tf.gather(class_weights, labels)


def synchronize_batch_norm(network: Network) -> None:
    """Let batch normalization use the statistics of all replicas' examples in training.

    Raises:
        InputError: the network has loops, whose normalization this does not reach.
    """
    for layer in network.layers:
        if isinstance(layer, BlockLoop):
            raise InputError(f"--sync-bn does not reach into the loops of {network.name}: leave it out.")
        if isinstance(layer, BatchNormalization):
            layer.synchronized = True
