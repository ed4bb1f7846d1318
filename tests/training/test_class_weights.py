"""Weights of classes in the training loss, against a sum by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.training.stepping.training_model import TrainingModel, cross_entropy

WEIGHTS = np.array([0.5, 2.0, 1.0], np.float32)


@pytest.mark.long
def test_losses_are_multiplied_by_the_weights_of_their_classes(rng):
    network = keras_resnet.ResNet20(blocks=(1, 1, 1), width=0.25, classes=3, input_shape=(16, 16, 3))
    images = rng.normal(size=(6, 16, 16, 3)).astype("float32")
    labels = np.array([0, 1, 2, 1, 0, 2], np.int32)
    mixed = rng.dirichlet(np.ones(3), 6).astype("float32")
    for given, factors in ((labels, WEIGHTS[labels]), (mixed, mixed @ WEIGHTS)):
        losses, logits = TrainingModel(network, WEIGHTS).forward(tf.constant(images), tf.constant(given))
        plain = cross_entropy(tf.constant(given), logits)
        np.testing.assert_allclose(losses, plain * factors, rtol=1e-5)
        keras.backend.clear_session()
    losses, logits = TrainingModel(network).forward(tf.constant(images), tf.constant(labels))
    np.testing.assert_array_equal(losses, cross_entropy(tf.constant(labels), logits))
