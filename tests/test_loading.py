"""Models are loaded by the names of the command line, and harmful files are refused."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, load_model
from keras_resnet.weights import TORCH


@pytest.mark.long
def test_a_name_builds_and_a_file_brings_all(tmp_path):
    assert load_model("ResNet20").name == load_model("resnet20").name == "ResNet20"
    model = keras_resnet.ResNet20(classes=3, input_shape=(24, 24, 3))
    model.preprocessing, model.class_names = TORCH, ("a", "b", "c")
    model.save(tmp_path / "m.keras")
    for named in (tmp_path / "m.keras", f"ResNet20:{tmp_path / 'm.keras'}"):
        again = load_model(named)
        assert (again.input_shape, again.output_shape) == ((None, 24, 24, 3), (None, 3))
        assert (again.class_names, again.preprocessing.channels) == (("a", "b", "c"), "RGB")
        images = np.ones((1, 24, 24, 3), "float32")
        np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("ResNet51", "model 'ResNet51' is not known: choose one of ResNet18"),
        ("VGG16:imagenet", "model 'VGG16' is not known: choose one of ResNet18"),
        ("nowhere.keras", "There is no model file nowhere.keras"),
        ("ResNet20:nowhere.th", "There is no weight file nowhere.th"),
        ("ResNet20:weights.zip", "its name must end in .weights.h5, .h5, .keras"),
    ],
)
def test_what_is_not_there_is_named(named, words):
    with pytest.raises(InputError, match=words):
        load_model(named)


@pytest.mark.long
def test_a_name_and_weights_that_conflict_are_refused(tmp_path):
    keras_resnet.ResNet20().save(tmp_path / "m.keras")
    with pytest.raises(InputError, match=r"m.keras does not fit ResNet32: conv2_block4_1_conv/kernel is no such key"):
        load_model(f"ResNet32:{tmp_path / 'm.keras'}")
    with pytest.raises(InputError, match=r"m.keras needs stem='cifar', but the requested ResNet18 has stem='imagenet'"):
        load_model(f"ResNet18:{tmp_path / 'm.keras'}")


def test_code_in_a_keras_file_is_refused(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x + 1)(inputs)).save(tmp_path / "evil.keras")
    with pytest.raises(InputError, match=r"evil.keras is damaged or not a Keras model that can be loaded safely"):
        load_model(tmp_path / "evil.keras")


@pytest.mark.long
def test_damage_is_named(tmp_path):
    path = tmp_path / "m.keras"
    keras_resnet.ResNet20().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 1000] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"m.keras is damaged or not a Keras model"):
        load_model(path)
