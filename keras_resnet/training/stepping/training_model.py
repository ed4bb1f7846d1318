"""Training a classifier: its losses, its error rates, and the examples it gets wrong."""

import keras
import tensorflow as tf
from keras import ops

from keras_resnet.errors import InputError
from keras_resnet.evaluation import ErrorRate, TopKErrorRate
from keras_resnet.evaluation.classifier import classifier_of
from keras_resnet.layers import BatchNormalization, BlockLoop
from keras_resnet.network import Network
from keras_resnet.training.display.mistakes import WorstMistakes
from keras_resnet.training.stepping.step import Step

TOP_K = 5


class Logits(keras.layers.Layer):
    """The output of ``classifier`` before its activation; shares the classifier's weights."""

    def __init__(self, classifier: keras.layers.Dense):
        super().__init__(name=f"{classifier.name}_logits", dtype=classifier.dtype_policy)
        self.classifier = classifier

    def call(self, features):
        return ops.add(ops.matmul(features, self.classifier.kernel), self.classifier.bias)


class TrainingModel(Step, keras.Model):
    """``network`` with the training step of :class:`Step`; shares its layers and weights.

    Labels are int ``[batch]``, or float ``[batch, classes]`` where they are mixed or smoothed. ``mistakes`` has the
    worst ones of the last evaluation.
    """

    def __init__(self, network: Network):
        classifier = classifier_of(network)
        super().__init__(network.input, Logits(classifier)(classifier.input), name=network.name)
        self.network = network
        self.values_size = network.output_shape[-1]
        self.running = [keras.metrics.Mean(name="loss"), ErrorRate()]
        self.running += [TopKErrorRate(TOP_K)] if self.values_size > 2 * TOP_K else []
        self.mistakes = WorstMistakes(network.input_shape[1:])

    def saved(self) -> Network:
        """The network."""
        return self.network

    def forward(self, images, labels):
        """Losses ``[batch]`` and logits ``[batch, classes]`` in training mode."""
        logits = self(images, training=True)
        return cross_entropy(labels, logits), logits

    def update_metrics(self, data, losses, scores):
        """Update loss and error rates."""
        self._update_metrics(losses, data[1], scores)

    def test_step(self, data):
        images, labels, *weights = data
        logits = self(images, training=False)
        losses = cross_entropy(labels, logits)
        self._update_metrics(losses, labels, logits, *weights)
        self.mistakes.update(images, labels, logits, losses, *weights)

    def _update_metrics(self, losses, labels, scores, weights=None):
        if labels.shape.rank == 2:
            labels = tf.argmax(labels, axis=-1)
        self.running[0].update_state(losses, weights)
        for metric in self.running[1:]:
            metric.update_state(labels, scores, weights)


def cross_entropy(labels, logits):
    """Losses ``[batch]`` of logits ``[batch, classes]`` for int labels, or for distributions over classes."""
    if labels.shape.rank == 2:
        return keras.losses.categorical_crossentropy(labels, logits, from_logits=True)
    return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def synchronize_batch_norm(network: Network) -> None:
    """Let normalization in training use the examples of all replicas; raises InputError for a looped network."""
    for layer in network.layers:
        if isinstance(layer, BlockLoop):
            raise InputError(f"--sync-bn does not reach into the loops of {network.name}: leave it out.")
        if isinstance(layer, BatchNormalization):
            layer.synchronized = True
