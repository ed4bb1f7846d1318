"""Preprocessing belongs to the weights."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import InputError, Preprocessing
from keras_resnet.weights.preprocessing import CAFFE, TORCH


def test_torch_preprocessing_equals_its_formula(rng):
    x = rng.integers(0, 256, (2, 4, 5, 3)).astype("uint8")
    expected = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(TORCH(x), expected, atol=1e-5)
    np.testing.assert_allclose(TORCH(tf.constant(x)), expected, atol=1e-5)


def test_caffe_preprocessing_equals_keras_applications(rng):
    from keras.applications.resnet50 import preprocess_input

    x = rng.uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    np.testing.assert_allclose(CAFFE(x), preprocess_input(x.copy()), atol=1e-4)


def test_a_mean_image_gives_way_to_its_channel_means_at_other_sizes(rng):
    mean = rng.uniform(0, 255, (4, 4, 3)).astype("float32")
    same, other = np.zeros((1, 4, 4, 3), "uint8"), np.zeros((1, 6, 5, 3), "uint8")
    np.testing.assert_allclose(Preprocessing(mean)(same)[0], -mean)
    np.testing.assert_allclose(Preprocessing(mean)(other)[0, 3, 2], -mean.mean(axis=(0, 1)), rtol=1e-6)


def test_a_model_without_weights_says_so():
    with pytest.raises(InputError, match="ResNet20 does not know its preprocessing: load weights, or set"):
        keras_resnet.preprocess_input(np.zeros((1, 32, 32, 3)), keras_resnet.ResNet20())


@pytest.mark.parametrize("given", [(), ("channels_last",)])
def test_a_call_without_the_model_says_what_is_missing(given):
    with pytest.raises(
        InputError,
        match=r"needs the model.*: preprocess_input\(images, model",
    ):
        keras_resnet.preprocess_input(np.zeros((1, 32, 32, 3)), *given)


def test_values_from_0_to_1_are_warned_of(rng):
    model = keras_resnet.ResNet20()
    model.preprocessing = TORCH
    images = rng.uniform(size=(1, 32, 32, 3))
    with pytest.warns(UserWarning, match="takes values from 0 to 255, and these are all from 0 to 1"):
        keras_resnet.preprocess_input(images, model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keras_resnet.preprocess_input(255 * images, model)
        keras_resnet.preprocess_input(np.ones((1, 32, 32, 3), np.uint8), model)


def test_wrong_shapes_are_named():
    model = keras_resnet.ResNet20()
    model.preprocessing = TORCH
    for channels in (1, 4):
        with pytest.raises(InputError, match=rf"RGB images, not shape \(2, 32, 32, {channels}\)"):
            keras_resnet.preprocess_input(np.zeros((2, 32, 32, channels)), model)
    with pytest.raises(InputError, match=r"not shape \(1, 3, 32, 32\)"):
        keras_resnet.preprocess_input(np.zeros((1, 3, 32, 32)), model)
