"""The binary cross-entropy of a classifier against a sum by hand, and what its network begins with."""

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.training.stepping.training_model import binary_cross_entropy


def test_binary_cross_entropies_are_summed_over_the_classes(rng):
    logits, labels = rng.normal(0, 3, (5, 4)).astype("float32"), np.array([0, 3, 1, 1, 2])
    probabilities = 1 / (1 + np.exp(-logits))
    for given in (np.eye(4, dtype="float32")[labels], rng.dirichlet(np.ones(4), 5).astype("float32")):
        by_hand = -(given * np.log(probabilities) + (1 - given) * np.log(1 - probabilities)).sum(axis=1)
        np.testing.assert_allclose(binary_cross_entropy(tf.constant(given), tf.constant(logits)), by_hand, rtol=1e-5)
    one_hot = binary_cross_entropy(tf.constant(np.eye(4, dtype="float32")[labels]), tf.constant(logits))
    whole = binary_cross_entropy(tf.constant(labels), tf.constant(logits))
    np.testing.assert_array_equal(whole, one_hot)
    mean = keras.losses.BinaryCrossentropy(from_logits=True, reduction="none")(np.eye(4)[labels], logits)
    np.testing.assert_allclose(whole, 4 * mean, rtol=1e-5)
