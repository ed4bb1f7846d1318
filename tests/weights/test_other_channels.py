"""Weights for other channels give the known outputs: for grey images exactly, for others by the formula of timm."""

import numpy as np
import pytest
from conftest import randomize

import keras_resnet
from keras_resnet import InputError, Preprocessing, weights
from keras_resnet.weights import CAFFE, TORCH, for_channels, named_arrays

SMALL = {"blocks": (1, 1, 1), "classes": 4}
KERNEL = "conv1_conv/kernel"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of a network with random weights, of torchvision's preprocessing, and the network."""
    model = keras_resnet.ResNet20(**SMALL)
    randomize(model, np.random.default_rng(0))
    model.preprocessing, model.source = TORCH, "somewhere"
    path = tmp_path_factory.mktemp("weights") / "m.weights.h5"
    model.save_weights(path)
    return path, model


def adapted(path, channels):
    return keras_resnet.ResNet20(weights=path, input_shape=(32, 32, channels), channels="adapt", **SMALL)


@pytest.mark.long
def test_a_grey_image_gets_the_answer_of_the_same_image_repeated_three_times(trained, rng):
    path, model = trained
    grey, x = adapted(path, 1), rng.normal(size=(5, 32, 32, 1)).astype("float32")
    np.testing.assert_allclose(grey.predict(x, verbose=0), model.predict(np.repeat(x, 3, -1), verbose=0), atol=1e-5)


@pytest.mark.long
def test_a_grey_photo_too_where_the_preprocessing_treats_channels_alike(trained, rng):
    _, model = trained
    stored = weights.from_model(model)
    alike = keras_resnet.ResNet20(weights=stored, **SMALL)
    alike.preprocessing = Preprocessing(mean=[120.0] * 3, std=(60.0,) * 3)
    grey = adapted(weights.from_model(alike), 1)
    photos = rng.integers(0, 256, (5, 32, 32, 1)).astype("uint8")
    answers = grey.predict(keras_resnet.preprocess_input(photos, grey), verbose=0)
    expected = alike.predict(keras_resnet.preprocess_input(np.repeat(photos, 3, -1), alike), verbose=0)
    np.testing.assert_allclose(answers, expected, atol=1e-5)


@pytest.mark.parametrize("channels", [2, 4, 6, 7])
@pytest.mark.long
def test_more_channels_repeat_and_rescale_the_kernel(trained, channels, rng):
    """timm's adapt_input_conv: the kernel repeated, cut to length, times 3 / channels."""
    path, model = trained
    kernel = named_arrays(model)[KERNEL]
    expected = np.concatenate([kernel] * 3, axis=2)[:, :, :channels] * (3 / channels)
    made = adapted(path, channels)
    arrays = named_arrays(made)
    np.testing.assert_allclose(arrays[KERNEL], expected, rtol=1e-6)
    for name, array in named_arrays(model).items():
        if name != KERNEL:
            np.testing.assert_array_equal(arrays[name], array)
    if channels == 6:
        x = rng.normal(size=(2, 32, 32, 3)).astype("float32")
        twice = made.predict(np.concatenate([x, x], -1), verbose=0)
        np.testing.assert_allclose(twice, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize(("channels", "words"), [(1, "1 channel: summed"), (4, "4 channels: its three repeated")])
@pytest.mark.long
def test_the_description_says_so_and_is_kept(trained, channels, words, tmp_path):
    path, _ = trained
    made = adapted(path, channels)
    assert made.source.startswith("somewhere; first convolution adapted to " + words)
    assert made.preprocessing.mean.shape == (channels,)
    made.save(tmp_path / "m.keras")
    loaded = keras_resnet.load_model(tmp_path / "m.keras")
    assert (loaded.source, loaded.input_shape) == (made.source, (None, 32, 32, channels))
    replaced = keras_resnet.replace_classifier(loaded, 2, 64)
    assert replaced.input_shape == (None, 64, 64, channels)
    x = np.zeros((1, 32, 32, channels), "uint8")
    np.testing.assert_array_equal(keras_resnet.preprocess_input(x, loaded), made.preprocessing(x))


def test_blue_green_red_weights_read_red_first_afterwards(trained, rng):
    _, model = trained
    bgr = keras_resnet.ResNet20(weights=weights.from_model(model), **SMALL)
    bgr.preprocessing = CAFFE
    made = for_channels(weights.from_model(bgr), 4)
    assert made.preprocessing.channels == "RGB"
    np.testing.assert_allclose(made.preprocessing.mean, [123.68, 116.779, 103.939, 123.68], rtol=1e-6)
    np.testing.assert_allclose(made.arrays[KERNEL], named_arrays(bgr)[KERNEL][:, :, [2, 1, 0, 2]] * 0.75, rtol=1e-6)


def test_a_mean_image_is_adapted_too(trained, rng):
    _, model = trained
    stored = weights.from_model(keras_resnet.ResNet20(weights=weights.from_model(model), **SMALL))
    image = rng.uniform(0, 255, (32, 32, 3)).astype("float32")
    made = for_channels(weights.TrainedWeights(**vars(stored) | {"preprocessing": Preprocessing(image)}), 1)
    np.testing.assert_allclose(made.preprocessing.mean, image.mean(axis=-1, keepdims=True), rtol=1e-6)


def test_what_cannot_be_adapted_is_refused(trained):
    path, _ = trained
    with pytest.raises(InputError, match="reads 3 channels: convert the images, give channels='adapt'"):
        keras_resnet.ResNet20(weights=path, input_shape=(32, 32, 1), **SMALL)
    with pytest.raises(InputError, match="0 channels; give 1 to 512"):
        adapted(path, 0)
    grey = weights.from_model(adapted(path, 1))
    with pytest.raises(InputError, match="starts from three channels, and ResNet20 reads 1"):
        for_channels(grey, 4)
    assert for_channels(grey, 1) is grey
    four = adapted(path, 4)
    with pytest.raises(InputError, match="takes images of 4 channels, and photos are read as red, green and blue"):
        keras_resnet.evaluation.input_size(four)
    with pytest.raises(InputError, match="preprocessing is of 4 channels, and the images have 3"):
        four.preprocessing(np.zeros((1, 32, 32, 3)))
