"""Statistics over several batches as one large one."""

import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet.evaluation import recalibrate_batch_norm
from keras_resnet.weights import named_arrays


def test_the_first_normalization_gets_the_moments_of_all_images(rng):
    """Of the first layer, whose inputs do not depend on the batch, against NumPy over all batches at once."""
    model = keras_resnet.ResNet20()
    images = rng.normal(size=(24, 32, 32, 3)).astype("float32")
    before = named_arrays(model)
    batches = tf.data.Dataset.from_tensor_slices((images, np.zeros(24))).batch(8)
    assert recalibrate_batch_norm(model, batches) == 3
    maps = model.get_layer("conv1_conv")(images).numpy()
    layer = model.get_layer("conv1_bn")
    np.testing.assert_allclose(layer.moving_mean.numpy(), maps.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), maps.var((0, 1, 2)), rtol=1e-4)
    assert layer.momentum == pytest.approx(0.9)
    for name, value in named_arrays(model).items():
        if "moving" not in name:
            np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_loops_equal_the_unrolled_network(rng):
    unrolled = keras_resnet.ResNet20()
    looped = keras_resnet.models.convert(unrolled, unroll=False)
    images = rng.normal(size=(8, 32, 32, 3)).astype("float32")
    for model in (unrolled, looped):
        recalibrate_batch_norm(model, [(images,), (images[::-1] * 1.5,)])
    arrays = named_arrays(looped)
    for name, value in named_arrays(unrolled).items():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_one_batch_makes_testing_equal_to_training(rng):
    model = keras_resnet.ResNet20(classifier_activation=None)
    images = tf.constant(rng.normal(size=(16, 32, 32, 3)), tf.float32)
    recalibrate_batch_norm(model, [(images,)])
    np.testing.assert_allclose(model(images, training=False), model(images, training=True), rtol=1e-2, atol=1e-2)
