"""Losses against NumPy loops over the formulas."""

import math

import numpy as np
import tensorflow as tf

from keras_resnet.detection.losses import proposal_losses, region_losses

ANCHORS = np.array([[0, 0, 32, 32], [16, 16, 80, 48], [0, 0, 100, 100], [40, 40, 60, 90]], "float32")
OBJECTS = np.array([[[2, 3, 30, 40], [20, 10, 90, 60]]], "float32")


def targets(box, anchor):
    (x1, y1, x2, y2), (a1, b1, a2, b2) = box, anchor
    width, height = a2 - a1, b2 - b1
    move = [((x1 + x2) - (a1 + a2)) / 2 / width, ((y1 + y2) - (b1 + b2)) / 2 / height]
    return np.array([*move, math.log((x2 - x1) / width), math.log((y2 - y1) / height)])


def smooth_l1(difference, sigma):
    """Eqn. (3) of Fast R-CNN, with the released code's sigma."""
    size = np.abs(difference)
    return np.where(size < 1 / sigma**2, 0.5 * (sigma * size) ** 2, size - 0.5 / sigma**2).sum()


def test_proposal_losses(rng):
    scores, deltas = rng.normal(size=(1, 4)).astype("float32"), rng.normal(size=(1, 4, 4)).astype("float32")
    labels, match = np.array([[1, 0, -1, 1]]), np.array([[0, 0, 1, 1]])
    class_loss, box_loss = proposal_losses(scores, deltas, ANCHORS, labels, match, OBJECTS)
    probability = 1 / (1 + np.exp(-scores[0]))
    expected = -(math.log(probability[0]) + math.log(1 - probability[1]) + math.log(probability[3])) / 3
    np.testing.assert_allclose(class_loss, [expected], rtol=1e-5)
    distances = [smooth_l1(deltas[0, i] - targets(OBJECTS[0, j], ANCHORS[i]), 3) for i, j in ((0, 0), (3, 1))]
    np.testing.assert_allclose(box_loss, [sum(distances) / 3], rtol=1e-5)


def test_region_losses(rng):
    logits, deltas = rng.normal(size=(1, 4, 3)).astype("float32"), rng.normal(size=(1, 4, 2, 4)).astype("float32")
    labels, weights = np.array([[2, 0, 1, 0]]), np.array([[1, 1, 1, 0]], "float32")
    matched = OBJECTS[:, [1, 0, 0, 0]]
    class_loss, box_loss = region_losses(logits, deltas, ANCHORS[None], labels, matched, weights)
    logs = logits[0] - np.log(np.exp(logits[0]).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(class_loss, [-(logs[0, 2] + logs[1, 0] + logs[2, 1]) / 3], rtol=1e-5)
    box_weights = [0.1, 0.1, 0.2, 0.2]
    wanted = [targets(matched[0, i], ANCHORS[i]) / box_weights for i in (0, 2)]
    expected = smooth_l1(deltas[0, 0, 1] - wanted[0], 1) + smooth_l1(deltas[0, 2, 0] - wanted[1], 1)
    np.testing.assert_allclose(box_loss, [expected / 3], rtol=1e-5)


def test_no_objects_and_padding_give_finite_losses_and_gradients():
    scores, deltas = tf.Variable(tf.zeros([1, 4])), tf.Variable(tf.ones([1, 4, 4]))
    with tf.GradientTape() as tape:
        losses = proposal_losses(
            scores, deltas, ANCHORS, np.zeros((1, 4), int), np.zeros((1, 4), int), np.zeros((1, 1, 4), "float32")
        )
        total = tf.add_n(losses)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(total, [scores, deltas]))
    np.testing.assert_allclose(losses[1], [0])
