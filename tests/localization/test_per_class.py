"""Outputs of each class's own are those of two convolutions, and only the class asked for is computed or learns."""

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.localization import PerClass

CLASSES, ANCHORS, CHANNELS = 5, 3, 8


def made(rng):
    layer = PerClass(CLASSES, ANCHORS)
    layer.build((None, None, CHANNELS))
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape))
    return layer


def convolved(layer, maps):
    """Scores ``[batch, height, width, classes, anchors]`` and deltas of all classes, by Keras' convolutions."""
    outputs = []
    for kernel, bias in ((layer.score_kernel, layer.score_bias), (layer.delta_kernel, layer.delta_bias)):
        convolution = keras.layers.Conv2D(int(np.prod(bias.shape)), 1)
        convolution.build(maps.shape)
        convolution.set_weights([np.reshape(kernel, (-1, CHANNELS)).T[None, None], np.reshape(bias, -1)])
        outputs.append(np.reshape(convolution(maps), (*maps.shape[:3], *bias.shape)))
    return outputs


def test_they_are_what_two_1x1_convolutions_give_for_the_class(rng):
    layer, maps = made(rng), rng.normal(size=(4, 2, 3, CHANNELS)).astype("float32")
    classes = np.array([3, 0, 4, 3], np.int32)
    scores, deltas = layer(maps.reshape(4, 6, CHANNELS), classes)
    all_scores, all_deltas = convolved(layer, maps)
    for image, number in enumerate(classes):
        np.testing.assert_allclose(scores[image], all_scores[image, :, :, number].reshape(-1), atol=1e-5)
        np.testing.assert_allclose(deltas[image], all_deltas[image, :, :, number].reshape(-1, 4), atol=1e-5)


def test_one_image_s_features_serve_many_classes(rng):
    layer, features = made(rng), rng.normal(size=(1, 6, CHANNELS)).astype("float32")
    together = layer(features, np.arange(CLASSES, dtype=np.int32))
    for number in range(CLASSES):
        for of_all, alone in zip(together, layer(features, np.array([number], np.int32)), strict=True):
            np.testing.assert_allclose(of_all[number], alone[0], atol=1e-6)


def test_sampled_anchors_are_those_of_the_whole_map(rng):
    layer, features = made(rng), rng.normal(size=(2, 6, CHANNELS)).astype("float32")
    classes, chosen = np.array([1, 2], np.int32), np.array([[0, 7, 17, 4], [3, 3, 12, 16]], np.int32)
    scores, deltas = layer(features, classes)
    sampled_features = np.take_along_axis(features, (chosen // ANCHORS)[..., None], axis=1)
    some_scores, some_deltas = layer.sampled(sampled_features, classes, chosen % ANCHORS)
    np.testing.assert_allclose(some_scores, np.take_along_axis(scores.numpy(), chosen, axis=1), atol=1e-5)
    np.testing.assert_allclose(some_deltas, np.take_along_axis(deltas.numpy(), chosen[..., None], axis=1), atol=1e-5)


def test_other_classes_get_no_gradient(rng):
    layer, features = made(rng), rng.normal(size=(2, 4, CHANNELS)).astype("float32")
    anchors = np.array([[0, 1, 2, 0], [1, 1, 2, 0]], np.int32)
    with tf.GradientTape() as tape:
        outputs = layer.sampled(features, tf.constant([1, 3]), anchors)
        loss = sum(tf.reduce_sum(output**2) for output in outputs)
    for gradient in map(tf.convert_to_tensor, tape.gradient(loss, layer.trainable_variables)):
        learns = np.abs(gradient.numpy()).reshape(CLASSES, -1).max(axis=1) > 0
        assert learns.tolist() == [False, True, False, True, False]
