"""Our own files restore all values and attributes, and use torchvision's names where they should."""

import functools

import keras
import numpy as np
import pytest
import safetensors.numpy
from conftest import randomize

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.weights import CAFFE, named_arrays

SUFFIXES = (".keras", ".weights.h5", ".safetensors", ".npz")
SMALL = {"blocks": (1, 1), "filters": (2, 4), "input_shape": (8, 8, 3)}


@functools.cache
def small():
    """A network that no test changes."""
    return keras_resnet.ResNet20(**SMALL)


@functools.cache
def described(unroll):
    """A small network with random weights and all remembered attributes, which no test changes."""
    options = {"blocks": (1, 3, 1, 1), "input_shape": (32, 32, 3), "classes": 7, "width": 0.25, "stride_in": "3x3"}
    model = keras_resnet.ResNet50(**options, bn_epsilon=2e-5, unroll=unroll)
    randomize(model, np.random.default_rng(0))
    model.preprocessing, model.source, model.licence = CAFFE.at_crop(0.9), "a test", "CC0"
    model.class_names = tuple("abcdefg")
    return model


@pytest.mark.long
@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(suffix, unroll, tmp_path):
    model = described(unroll)
    path = tmp_path / "folder" / f"w{suffix}"
    weights.write(model, path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    again = keras_resnet.ResNet50(weights=path, blocks=(1, 3, 1, 1), input_shape=(32, 32, 3), classes=7)
    expected, got = named_arrays(model), named_arrays(again)
    assert expected.keys() == got.keys()
    assert all(np.array_equal(expected[name], got[name]) for name in expected)
    assert (again.spec.stride_in, again.spec.width, again.spec.bn_epsilon) == ("3x3", 0.25, 2e-5)
    assert again.preprocessing.get_config() == model.preprocessing.get_config()
    assert (again.source, again.licence, again.class_names) == ("a test", "CC0", tuple("abcdefg"))
    loaded = keras_resnet.load_model(path)
    assert (loaded.input_shape, loaded.output_shape) == (model.input_shape, model.output_shape)
    assert loaded.source == "a test"


@pytest.mark.long
def test_safetensors_have_torchvision_s_names_and_layouts(tmp_path):
    model = keras_resnet.ResNet18(width=0.25)
    weights.write(model, tmp_path / "w.safetensors")
    tensors = safetensors.numpy.load_file(tmp_path / "w.safetensors")
    norm = ("weight", "bias", "running_mean", "running_var")
    expected = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{part}" for part in norm)}
    for stage in range(1, 5):
        for block in range(2):
            prefix = f"layer{stage}.{block}."
            expected |= {f"{prefix}conv{i}.weight" for i in (1, 2)}
            expected |= {f"{prefix}bn{i}.{part}" for i in (1, 2) for part in norm}
        if stage > 1:
            expected |= {f"layer{stage}.0.downsample.1.{part}" for part in norm}
            expected.add(f"layer{stage}.0.downsample.0.weight")
    assert tensors.keys() == expected
    kernel = model.get_layer("conv3_block1_0_conv").kernel.numpy()
    np.testing.assert_array_equal(tensors["layer2.0.downsample.0.weight"], kernel.transpose(3, 2, 0, 1))
    assert tensors["conv1.weight"].shape == (16, 3, 7, 7)


def test_a_folded_network_has_no_place_in_torchvision_s_layout(tmp_path):
    folded = weights.fold_batch_norm(keras_resnet.ResNet18(blocks=(1, 1, 1, 1), width=0.25))
    with pytest.raises(InputError, match="torchvision's ResNets have no place for conv1_conv/bias"):
        weights.write(folded, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_user_who_is_not_known_is_refused():
    with pytest.raises(InputError, match=r"~nobody-of-this-name/w\.npz begins with the home folder of an unknown user"):
        weights.write(small(), "~nobody-of-this-name/w.npz")


def test_unknown_places_and_suffixes_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="torchvision's ResNets have no place for conv2_block1_0_gate/kernel"):
        weights.write(keras_resnet.ResNet20(shortcut="highway", **SMALL), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"its name must end in .keras, .weights.h5, .safetensors, .npz"):
        weights.write(small(), tmp_path / "w.pth")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_damaged_files_say_so(suffix, damage, tmp_path):
    path = tmp_path / f"w{suffix}"
    weights.write(small(), path)
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"hello\n" * 9, "truncated": content[: len(content) // 2]}[damage])
    with pytest.raises(InputError, match=f"w{suffix} is damaged or no"):
        weights.read(path)


def test_pickles_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", x=np.array([{"a": 1}], object))
    with pytest.raises(InputError, match=r"w.npz is damaged or not a .npz file of arrays"):
        weights.read(tmp_path / "w.npz")


@pytest.mark.parametrize("suffix", [".npz", ".weights.h5"])
@pytest.mark.long
def test_weights_that_do_not_say_of_what_network_are_refused(suffix, tmp_path):
    """Without it, a stride in the 1x1 cannot be distinguished from one in the 3x3."""
    model, path = keras_resnet.ResNet50(blocks=(1, 1, 1, 1), width=0.25), tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, **named_arrays(model))
    else:
        keras.Model(model.input, model.output).save_weights(path)
    with pytest.raises(InputError, match=f"w{suffix} does not say which network its weights belong to"):
        keras_resnet.ResNet50(weights=path, blocks=(1, 1, 1, 1), width=0.25)


def test_a_description_of_unknown_fields_is_refused(tmp_path):
    text = '{"spec": {"name": "x", "colour": "red"}}'
    np.savez(tmp_path / "w.npz", keras_resnet=np.array(text))
    with pytest.raises(InputError, match="describes its network in a way that this version does not know"):
        weights.read(tmp_path / "w.npz")
