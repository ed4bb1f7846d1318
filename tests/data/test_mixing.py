"""Mixup, CutMix and smoothing change images and labels consistently and are functions of the seed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.data import mix
from keras_resnet.data.mixing import cutmix, mixup, smooth

CLASSES = 5


@pytest.fixture
def batch():
    """Five images whose pixels all equal their index, each of its own class."""
    numbers = np.arange(5, dtype=np.float32)
    images = np.broadcast_to(numbers[:, None, None, None], (5, 16, 16, 3)).copy()
    return tf.constant(images), tf.one_hot(np.arange(5), CLASSES)


def seeds(count):
    return [tf.constant([3, i], tf.int64) for i in range(count)]


def mixed(function, batch, count):
    """What ``function`` makes of a batch with each seed, traced once as in a pipeline, where it takes a tenth."""
    traced = tf.function(lambda seed: function(*batch, seed), autograph=False)
    for seed in seeds(count):
        yield [tensor.numpy() for tensor in traced(seed)]


def test_smoothing_spreads_a_tenth():
    soft = smooth(tf.constant([2, 0]), CLASSES).numpy()
    np.testing.assert_allclose(soft.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(soft[0], [0.02, 0.02, 0.92, 0.02, 0.02], rtol=1e-5)


def test_mixup_blends_labels_like_images(batch):
    weights = []
    for images, labels in mixed(mixup, batch, 300):
        weight = labels[2, 2]
        np.testing.assert_allclose(labels[2], [0, 1 - weight, weight, 0, 0], atol=1e-6)
        np.testing.assert_allclose(images[2], 2 * weight + 1 * (1 - weight), atol=1e-5)
        weights.append(weight)
    assert np.mean(weights) == pytest.approx(0.5, abs=0.07)
    assert np.var(weights) == pytest.approx(0.25 / 1.4, abs=0.03)  # of Beta(0.2, 0.2)


def test_cutmix_s_labels_are_the_shares_of_area(batch):
    shares = []
    for images, labels in mixed(cutmix, batch, 300):
        assert set(np.unique(images[2])) <= {1, 2}
        assert labels[2, 2] == pytest.approx(np.mean(images[2] == 2), abs=1e-6)
        inside = images[2, :, :, 0] == 1
        rows, columns = inside.any(1), inside.any(0)
        assert inside.sum() == rows.sum() * columns.sum()  # a rectangle
        shares.append(labels[2, 2])
    assert 0.5 < np.mean(shares) < 0.8  # half, or more where the rectangle is cut off at the border


def test_mix_is_a_function_of_the_seed_and_uses_mixup_and_cutmix(batch):
    finish = mix(CLASSES)
    labels = tf.constant(np.arange(5))
    first, again = (finish((batch[0], labels), seeds(1)[0]) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    finished = mixed(lambda *batch_and_seed: finish(batch_and_seed[:2], batch_and_seed[2]), (batch[0], labels), 30)
    blended = {bool((images % 1).any()) for images, _ in finished}
    assert blended == {True, False}
