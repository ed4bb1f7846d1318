"""Multiply-adds beyond the paper's networks, whose counts tests/test_models.py checks."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError
from keras_resnet.analysis import multiply_adds, shapes_alone


@pytest.mark.long
def test_vgg_equals_the_paper_s_reference():
    """Sec. 4.1: VGG-16 has 15.3 billion (convolutions only; 15.47 with its fully connected layers), VGG-19 19.6."""
    with shapes_alone():
        networks = [make(weights=None) for make in (keras.applications.VGG16, keras.applications.VGG19)]
    assert [multiply_adds(network) for network in networks] == pytest.approx([15.47e9, 19.63e9], rel=1e-3)


def test_depthwise_and_separable_convolutions_count_each_of_their_kernels():
    images = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", groups=1)(images)
    x = keras.layers.Conv2D(8, 3, padding="same", groups=4)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = keras.layers.SeparableConv2D(10, 5, padding="same")(x)
    one_place = 9 * 3 * 8 + 9 * 2 * 8 + 9 * 8 * 2 + (25 * 16 + 16 * 10)
    assert multiply_adds(keras.Model(images, x)) == 8 * 6 * one_place


def test_networks_are_counted_without_values_and_later_ones_have_theirs():
    with shapes_alone():
        counted = keras_resnet.ResNet20(blocks=(1, 1, 1))
    built = keras_resnet.ResNet20(blocks=(1, 1, 1))
    assert multiply_adds(counted) == multiply_adds(built)
    assert [tuple(v.shape) for v in counted.weights] == [tuple(v.shape) for v in built.weights]
    assert {v._value is None for v in counted.weights} == {True}  # also after other networks have been built
    assert built(np.zeros((1, 32, 32, 3))).shape == (1, 10)


@pytest.mark.long
def test_loops_count_every_block():
    assert multiply_adds(keras_resnet.ResNet56(unroll=False)) == multiply_adds(keras_resnet.ResNet56())


@pytest.mark.long
def test_dynamic_sizes_need_a_shape():
    model = keras_resnet.ResNet18(include_top=False)
    with pytest.raises(InputError, match=r"give input_shape=\(height, width, channels\)"):
        multiply_adds(model)
    fixed = keras_resnet.ResNet18(include_top=False, input_shape=(64, 64, 3))
    assert multiply_adds(model, (64, 64, 3)) == multiply_adds(fixed)
