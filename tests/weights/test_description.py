"""A mean image is an array in every file, is read back bit for bit, and is refused if it is not valid."""

import base64
import copy
import io
import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest
import safetensors

import keras_resnet
from keras_resnet import InputError, Preprocessing, weights
from keras_resnet.weights import file_bounds

SIDE = 8
NUMBERS = ".keras", ".npz", ".weights.h5", ".safetensors"


def network(**options):
    """A small network whose preprocessing subtracts a mean image."""
    model = keras_resnet.ResNet20(blocks=(1, 1), filters=(2, 4), input_shape=(SIDE, SIDE, 3), classes=2, **options)
    image = np.random.default_rng(0).uniform(0, 255, (SIDE, SIDE, 3))
    model.preprocessing = Preprocessing(image, std=(2.0, 3.0, 4.0), channels="BGR", crop=1.0)
    return model


def check(again, model):
    assert again.preprocessing.mean.dtype == np.float32
    np.testing.assert_array_equal(again.preprocessing.mean, model.preprocessing.mean)
    assert (again.preprocessing.std, again.preprocessing.channels, again.preprocessing.crop) == ((2, 3, 4), "BGR", 1.0)


def stored(path):
    """The description in a file as text, and its mean image, read without the package."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            return archive.read("config.json").decode(), np.load(io.BytesIO(archive.read("assets/mean_image.npy")))
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return str(arrays["keras_resnet"]), arrays["keras_resnet_mean_image"]
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["description"][()].tobytes().decode(), file["mean_image"][()]
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    image = np.load(io.BytesIO(base64.b64decode(metadata["keras_resnet_mean_image"])))
    return metadata["keras_resnet"], image


@pytest.mark.parametrize("suffix", NUMBERS)
def test_a_mean_image_is_kept_as_an_array(suffix, tmp_path):
    model, path = network(), tmp_path / f"w{suffix}"
    weights.write(model, path)
    text, image = stored(path)
    np.testing.assert_array_equal(image, model.preprocessing.mean)
    assert '"mean": "mean_image"' in text
    assert str(model.preprocessing.mean.tolist()[0][0][0]) not in text
    check(weights.read(path), model)
    check(keras_resnet.load_model(path), model)


@pytest.mark.parametrize("suffix", NUMBERS)
def test_channel_means_stay_in_the_description(suffix, tmp_path):
    model, path = network(), tmp_path / f"w{suffix}"
    model.preprocessing = weights.CAFFE
    weights.write(model, path)
    with pytest.raises(KeyError):
        stored(path)
    np.testing.assert_array_equal(keras_resnet.load_model(path).preprocessing.mean, weights.CAFFE.mean)


def test_torch_finds_no_tensor_more_than_its_own(tmp_path):
    names = []
    for preprocessing in (weights.TORCH, network().preprocessing):
        model = network()
        model.preprocessing = preprocessing
        weights.write(model, tmp_path / "w.safetensors")
        with safetensors.safe_open(tmp_path / "w.safetensors", "np") as file:
            names.append(set(file.keys()))
    assert names[0] == names[1]


@pytest.mark.long
def test_the_other_ways_of_keras_keep_it_too(tmp_path):
    model = network()
    model.save(tmp_path / "m.keras")
    nested = keras.Sequential([keras.Input((SIDE, SIDE, 3)), model])
    nested.save(tmp_path / "outer.keras")
    model.save(tmp_path / "m.h5")
    for again in (
        keras.models.load_model(tmp_path / "m.keras"),
        keras.models.load_model(tmp_path / "outer.keras").layers[0],
        keras_resnet.load_model(tmp_path / "m.h5"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        type(model).from_config(model.get_config()),
    ):
        check(again, model)


def rewritten(path, changed_text=None, image=None):
    """The file with another description, and with another array instead of its mean image, or without one."""
    text, _ = stored(path)
    text = text if changed_text is None else changed_text(text)
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members["config.json"] = text.encode()
        del members["assets/mean_image.npy"]
        if image is not None:
            np.save(buffer := io.BytesIO(), image)
            members["assets/mean_image.npy"] = buffer.getvalue()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            kept = {name: array for name, array in arrays.items() if name != "keras_resnet_mean_image"}
        kept["keras_resnet"] = np.array(text)
        np.savez_compressed(path, **kept, **({} if image is None else {"keras_resnet_mean_image": image}))
    else:
        with h5py.File(path, "a") as file:
            del file["description"], file["mean_image"]
            file["description"] = np.frombuffer(text.encode(), np.uint8)
            if image is not None:
                file["mean_image"] = image


@pytest.mark.parametrize("suffix", [".keras", ".npz", ".weights.h5"])
def test_a_file_of_an_earlier_version_has_it_as_numbers(suffix, tmp_path):
    model, path = network(), tmp_path / f"w{suffix}"
    weights.write(model, path)
    numbers = json.dumps(model.preprocessing.mean.tolist())
    rewritten(path, lambda text: text.replace('"mean": "mean_image"', f'"mean": {numbers}'))
    check(weights.read(path), model)
    check(keras_resnet.load_model(path), model)
    if suffix == ".keras":
        check(keras.models.load_model(path), model)


def faulty(fault):
    image = np.zeros((SIDE, SIDE, 3), "float32")
    if fault in ("NaN", "infinite"):
        image[3, 2, 1] = {"NaN": np.nan, "infinite": np.inf}[fault]
    return {
        "missing": None,
        "too large": np.zeros((1200, 1200, 3), "float32"),
        "complex": image.astype("complex64"),
        "no image": image[0],
        "four channels": np.zeros((SIDE, SIDE, 4), "float32"),
        "beyond float32": np.full((SIDE, SIDE, 3), 1e300),
    }.get(fault, image)


FAULTS = {
    "NaN": "must be finite numbers",
    "infinite": "must be finite numbers",
    "beyond float32": "must be finite numbers",
    "no image": r"mean of shape \(8, 3\) must be",
    "four channels": "mean of 4 and std of 3 channels",
    "complex": "mean image holds complex64 instead of numbers",
    "too large": r"17,280,\d\d\d bytes, more than the 16,\d\d\d,\d\d\d allowed",
    "missing": "The mean image that its weights expect is missing",
}


@pytest.mark.parametrize("suffix", [".keras", ".npz", ".weights.h5"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.long
def test_what_cannot_be_a_mean_image_is_refused(fault, suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    weights.write(network(), path)
    rewritten(path, image=faulty(fault))
    for load in (keras_resnet.load_model, weights.read):
        with pytest.raises(InputError, match=FAULTS[fault]) as error:
            load(path)
        assert path.name in str(error.value)
    if suffix == ".keras" and fault != "missing":
        words = "by its header, and 16,777" if fault == "too large" else FAULTS[fault]
        with pytest.raises((InputError, ValueError), match=words):
            keras.models.load_model(path)


def test_keras_leaves_what_is_missing_unknown(tmp_path):
    """Keras does not ask for assets if a file has none; no other mean must be subtracted instead."""
    path = tmp_path / "w.keras"
    weights.write(network(), path)
    rewritten(path)
    with pytest.raises(InputError, match="does not know its preprocessing"):
        keras_resnet.preprocess_input(np.ones((1, SIDE, SIDE, 3)), keras.models.load_model(path))


def test_the_bound_admits_the_images_of_the_paper():
    assert file_bounds.MEAN_IMAGE > 16 * 224 * 224 * 3 * 4


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY\x01\x00"])
def test_a_damaged_asset_is_named(content, tmp_path):
    path = tmp_path / "w.keras"
    weights.write(network(), path)
    rewritten(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/mean_image.npy", content)
    for load in (keras_resnet.load_model, weights.read):
        with pytest.raises(InputError, match=r"w\.keras is damaged"):
            load(path)
    with pytest.raises((InputError, ValueError), match="mean_image"):
        keras.models.load_model(path)
