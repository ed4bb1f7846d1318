"""A block in each placement against the same formula written in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import randomize

from keras_resnet.blocks import block
from keras_resnet.specs import PLACEMENTS, SPECS, change_spec


def conv3(x, kernel, stride=1):
    """A 3x3 convolution with one zero on every side, by its definition."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = (x.shape[1] - 1) // stride + 1, (x.shape[2] - 1) // stride + 1
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for i in range(height):
        for j in range(width):
            patch = padded[:, i * stride : i * stride + 3, j * stride : j * stride + 3]
            out[:, i, j] = np.tensordot(patch, kernel, axes=3)
    return out


def relu(x):
    return np.maximum(x, 0)


def reference(placement, x, weights, epsilon):
    """He et al. 2016, Fig. 4, line by line."""

    def conv(x, number):
        return conv3(x, weights[f"block_{number}_conv"][0])

    def bn(x, name):
        gamma, beta, mean, variance = weights[f"block_{name}"]
        return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta

    if placement == "original":
        return relu(x + bn(conv(relu(bn(conv(x, 1), "1_bn")), 2), "2_bn"))
    if placement == "bn_after_addition":
        return relu(bn(x + conv(relu(bn(conv(x, 1), "1_bn")), 2), "bn"))
    if placement == "relu_before_addition":
        return x + relu(bn(conv(relu(bn(conv(x, 1), "1_bn")), 2), "2_bn"))
    if placement == "relu_only_preactivation":
        return x + bn(conv(relu(bn(conv(relu(x), 1), "1_bn")), 2), "2_bn")
    return x + conv(relu(bn(conv(relu(bn(x, "preact_bn")), 1), "1_bn")), 2)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_placement_equals_its_formula(placement, rng):
    spec = change_spec(SPECS["ResNet20"], placement=placement)
    image = keras.Input((6, 7, 5))
    model = keras.Model(image, block(image, spec, 5, 1, "block"))
    randomize(model, rng)
    weights = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    x = rng.normal(size=(2, 6, 7, 5))
    expected = reference(placement, x, weights, spec.bn_epsilon)
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
    assert model.layers[-1].name == "block_out"


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
def test_strided_convolutions_pad_like_the_authors(size, rng):
    """One zero on each side, at even and odd sizes: Keras' "same" pads even sizes on one side only."""
    image = keras.Input((*size, 3))
    spec = change_spec(SPECS["ResNet20"], residual=False)
    model = keras.Model(image, block(image, spec, 4, 2, "block"))
    kernel = model.get_layer("block_1_conv").kernel.numpy()
    x = rng.normal(size=(1, *size, 3))
    first = keras.Model(image, model.get_layer("block_1_conv").output)
    np.testing.assert_allclose(first(x), conv3(x, kernel, 2), atol=1e-5)


def test_stride_of_a_bottleneck_sits_where_the_spec_says():
    image = keras.Input((8, 8, 16))
    for stride_in, middle in (("1x1", 4), ("3x3", 8)):
        spec = change_spec(SPECS["ResNet50"], stride_in=stride_in)
        model = keras.Model(image, block(image, spec, 4, 2, "block"))
        assert model.get_layer("block_1_conv").output.shape[1] == middle
        assert model.output.shape == (None, 4, 4, 16)


def test_a_changing_preactivation_block_shares_its_activation():
    image = keras.Input((8, 8, 4))
    spec = change_spec(SPECS["ResNet20"], placement="full_preactivation", shortcut="B")
    model = keras.Model(image, block(image, spec, 8, 2, "block"))
    activated = model.get_layer("block_preact_relu").output
    assert model.get_layer("block_0_subsample").input is activated
    assert model.get_layer("block_0_conv").input is model.get_layer("block_0_subsample").output
    assert model.get_layer("block_1_pad").input is activated


@pytest.mark.parametrize("size", [(6, 8), (7, 5)])
@pytest.mark.parametrize("shortcut", ["A", "B", "C", "highway"])
def test_a_bottleneck_s_strided_1x1_convolutions_share_one_subsampled_input(size, shortcut, rng):
    """They equal TensorFlow's strided convolutions, which crash on some processors where channels are few."""
    image = keras.Input((*size, 3))
    spec = change_spec(SPECS["ResNet50"], shortcut=shortcut, stride_in="1x1")
    model = keras.Model(image, block(image, spec, 4, 2, "block"))
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert all(layer.strides == (1, 1) for layer in convolutions)
    subsampled = model.get_layer("block_0_subsample").output
    reading = [layer for layer in convolutions if layer.input is subsampled]
    assert len(reading) == (1 if shortcut == "A" else 2)
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    for layer in reading:
        strided = tf.nn.conv2d(x, layer.kernel, 2, "VALID")
        if layer.use_bias:
            strided = tf.sigmoid(strided + layer.bias)
        np.testing.assert_allclose(keras.Model(image, layer.output)(x), strided, rtol=1e-5, atol=1e-5)
