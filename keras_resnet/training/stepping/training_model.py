"""Training a classifier: its losses, its error rates, and the examples it gets wrong."""

import keras
import tensorflow as tf

from keras_resnet.errors import InputError
from keras_resnet.evaluation import ErrorRate, TopKErrorRate
from keras_resnet.layers import BatchNormalization, BlockLoop
from keras_resnet.network import Network
from keras_resnet.training.display.mistakes import WorstMistakes
from keras_resnet.training.stepping.step import Step

TOP_K = 5


class TrainingModel(Step, keras.Model):
    """``network`` with the training step of :class:`Step`; shares its layers and weights.

    Labels are int ``[batch]``, or float ``[batch, classes]`` where they are mixed or smoothed. ``mistakes`` has the
    worst ones of the last evaluation.
    """

    def __init__(self, network: Network):
        super().__init__(network.input, network.output, name=network.name)
        self.network = network
        self.values_size = network.output_shape[-1]
        self.running = [keras.metrics.Mean(name="loss"), ErrorRate()]
        self.running += [TopKErrorRate(TOP_K)] if self.values_size > 2 * TOP_K else []
        self.mistakes = WorstMistakes(network.input_shape[1:])
        self.final: dict = {}  # FinalAnswers by part, at the end of a run

    def saved(self) -> Network:
        """The network."""
        return self.network

    def forward(self, images, labels):
        """Losses ``[batch]`` and scores ``[batch, classes]`` in training."""
        scores = self(images, training=True)
        return cross_entropy(labels, scores), scores

    def update_metrics(self, data, losses, scores):
        """Update loss and error rates."""
        self._update_metrics(losses, data[1], scores)

    def test_step(self, data):
        images, labels, *weights = data
        scores = self(images, training=False)
        losses = cross_entropy(labels, scores)
        self._update_metrics(losses, labels, scores, *weights)
        self.mistakes.update(images, labels, scores, losses, *weights)

    def _update_metrics(self, losses, labels, scores, weights=None):
        if labels.shape.rank == 2:
            labels = tf.argmax(labels, axis=-1)
        self.running[0].update_state(losses, weights)
        for metric in self.running[1:]:
            metric.update_state(labels, scores, weights)


def cross_entropy(labels, scores):
    """Losses ``[batch]`` of probabilities ``[batch, classes]`` for int labels, or for distributions over classes."""
    if labels.shape.rank == 2:
        return keras.losses.categorical_crossentropy(labels, scores)
    return keras.losses.sparse_categorical_crossentropy(labels, scores)


def synchronize_batch_norm(network: Network) -> None:
    """Let normalization in training use the examples of all replicas; raises InputError for a looped network."""
    for layer in network.layers:
        if isinstance(layer, BlockLoop):
            raise InputError(f"--sync-bn does not reach into the loops of {network.name}: leave it out.")
        if isinstance(layer, BatchNormalization):
            layer.synchronized = True
