"""Balancing: what each class weighs, and how often each photo is drawn, counted."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.data.balancing import class_weights, drawn_evenly
from keras_resnet.data.pipelines import shuffled_positions

LABELS = np.repeat([0, 2, 3], [40, 4, 17])


def test_classes_weigh_the_same_together_and_the_mean_weight_is_one(rng):
    labels = rng.permutation(LABELS)
    weights = class_weights(labels, 4)
    totals = np.bincount(labels, weights[labels], 4)
    np.testing.assert_allclose(totals[[0, 2, 3]], len(labels) / 3, rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)
    assert weights[1] == 1  # of no photo


def drawn(labels, epochs, start=0):
    draw = drawn_evenly(labels)
    stream = shuffled_positions(len(labels), 7, start).map(lambda position, seed: draw(position, seed[1]))
    return np.array(list(stream.take(epochs * len(labels) - start).as_numpy_iterator()))


def test_every_epoch_has_each_class_equally_often_and_each_photo_of_it(rng):
    labels = rng.permutation(LABELS)
    epochs = drawn(labels, 12).reshape(12, -1)
    for epoch in epochs:
        counts = np.bincount(labels[epoch], minlength=4)
        assert sorted(counts.tolist()) == [0, 20, 20, 21]
    times = np.bincount(epochs.ravel(), minlength=len(labels))
    for label in (0, 2, 3):
        assert np.ptp(times[labels == label]) <= 1  # of a class, each photo as often as the others


def test_a_run_continues_with_what_it_would_have_drawn(rng):
    labels = rng.permutation(LABELS)
    np.testing.assert_array_equal(drawn(labels, 3)[100:], drawn(labels, 3, start=100))


def test_the_order_within_an_epoch_is_shuffled(rng):
    labels = np.sort(LABELS)
    classes = labels[drawn(labels, 1)]
    assert (np.diff(classes) != 0).sum() > len(labels) / 3
    assert drawn_evenly(labels)(tf.constant(0, tf.int64), tf.constant(0, tf.int64)).dtype == tf.int64
