"""keras.applications' weights: every file layout gives the source network's logits; bad files are described."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import randomize

import keras_resnet
from keras_resnet import InputError, weights

SIZE = (32, 32, 3)


def reference(depth, rng, **options):
    """keras.applications' network with random weights, biases and statistics."""
    model = getattr(keras.applications, f"ResNet{depth}")(
        weights=None, input_shape=SIZE, classifier_activation=None, **options
    )
    randomize(model, rng)
    return model


def write_official(path, model, classifier="predictions"):
    """Write the layout of the published files, Keras 2's HDF5, without Keras."""
    with h5py.File(path, "w") as file:
        named = [layer for layer in model.layers if layer.name != "input_layer"]
        names = [classifier if layer.name == "predictions" else layer.name for layer in named]
        file.attrs["layer_names"] = [name.encode() for name in names]
        for layer, name in zip(named, names, strict=True):
            group = file.create_group(name)
            keys = [f"{name}/{variable.name}:0" for variable in layer.weights]
            group.attrs["weight_names"] = [key.encode() for key in keys]
            for key, variable in zip(keys, layer.weights, strict=True):
                group[key] = variable.numpy()


@pytest.fixture(scope="module")
def resnet50():
    return reference(50, np.random.default_rng(0))


def difference(ours, model, rng):
    """The largest difference of the logits over their spread, for RGB images after each network's preprocessing."""
    images = rng.uniform(0, 255, (2, *SIZE)).astype("float32")
    expected = model(keras.applications.resnet.preprocess_input(images.copy())).numpy()
    got = ours(keras_resnet.preprocess_input(images, ours)).numpy()
    largest = np.abs(got - expected).max() / np.ptp(expected)
    print(f"{model.name}: {largest:.1e}")
    return largest


def load(path, depth=50, **options):
    builder = getattr(keras_resnet, f"ResNet{depth}")
    return builder(weights=path, input_shape=SIZE, classifier_activation=None, **options)


@pytest.mark.long
def test_a_live_network_s_weights_give_its_logits(resnet50, rng):
    ours = load(weights.from_model(resnet50))
    assert difference(ours, resnet50, rng) < 1e-4
    assert (ours.spec.stride_in, ours.spec.bn_epsilon, ours.preprocessing.channels) == ("1x1", 1.001e-5, "BGR")


@pytest.mark.long
@pytest.mark.parametrize("layout", ["official.h5", "model.keras", "keras3.weights.h5", "probs"])
def test_every_layout_holds_what_the_live_network_does(layout, resnet50, tmp_path):
    """So that it gives its logits too."""
    path = tmp_path / layout
    if layout in ("official.h5", "probs"):
        path = tmp_path / "official.h5"
        write_official(path, resnet50, layout if layout == "probs" else "predictions")
    elif layout == "model.keras":
        resnet50.save(path)
    else:
        resnet50.save_weights(path)
    held, live = weights.read(path), weights.from_model(resnet50)
    assert (held.spec, held.needs, held.classes) == (live.spec, live.needs, live.classes)
    assert held.preprocessing.get_config() == live.preprocessing.get_config()
    assert held.arrays.keys() == live.arrays.keys()
    for name, array in live.arrays.items():
        np.testing.assert_array_equal(held.arrays[name], array, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [101, 152])
def test_the_deep_networks_too(depth, rng, tmp_path):
    model = reference(depth, rng)
    write_official(tmp_path / "w.h5", model)
    assert difference(load(tmp_path / "w.h5", depth), model, rng) < 1e-4


@pytest.mark.long
def test_another_epsilon_keeps_the_outputs(resnet50, rng):
    ours = load(weights.from_model(resnet50), bn_epsilon=1e-3)
    assert ours.spec.bn_epsilon == 1e-3
    assert difference(ours, resnet50, rng) < 1e-4


@pytest.mark.long
def test_without_top_the_classifier_is_left_out(resnet50):
    body = keras_resnet.ResNet50(include_top=False, weights=weights.from_model(resnet50))
    assert body.output_shape == (None, None, None, 2048)
    with pytest.raises(InputError, match=r"is for 1000 classes.*give classes=1000"):
        keras_resnet.ResNet50(weights=weights.from_model(resnet50), classes=10)


def test_conflicts_name_both_values(resnet50):
    held = weights.from_model(resnet50)
    for options, words in (
        ({"stride_in": "3x3"}, "needs stride_in='1x1', but the requested ResNet50 has stride_in='3x3'"),
        ({"shortcut": "C"}, "needs shortcut='B', but the requested ResNet50 has shortcut='C'"),
        ({"input_shape": (32, 32, 1)}, "reads 3 channels"),
    ):
        with pytest.raises(InputError, match=words):
            keras_resnet.ResNet50(weights=held, **options)
    with pytest.raises(InputError, match="needs block='bottleneck'"):
        keras_resnet.ResNet34(weights=held)


def bad_file(case, path):
    """Write a file that must not load."""
    if case == "text":
        path.write_text("no HDF5")
    elif case == "truncated":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save_weights(path)
        path.write_bytes(path.read_bytes()[:-500])
    elif case == "foreign":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="head")]).save_weights(path)
    elif case in ("linked layer", "linked root"):
        with h5py.File(path, "w") as file:
            if case == "linked root":
                file["model_weights"] = h5py.ExternalLink("/etc/hostname", "/x")
            else:
                file.create_group("layers/conv2d")["vars"] = h5py.ExternalLink("/etc/hostname", "/x")
    else:
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"conv1_conv"]
            group = file.create_group("conv1_conv")
            group.attrs["weight_names"] = [b"kernel:0"]
            if case == "external link":
                group["kernel:0"] = h5py.ExternalLink("/etc/hostname", "/x")
            elif case == "soft link":
                group["kernel:0"] = h5py.SoftLink("/elsewhere")
            elif case == "external storage":
                group.create_dataset("kernel:0", (4,), "u1", external=[("/etc/hostname", 0, 4)])


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("text", "is damaged or not a Keras weight file"),
        ("truncated", "is damaged or not a Keras weight file"),
        ("foreign", r"has the weight head/0 of shape \(4, 3\), which no ResNet here has"),
        ("external link", "kernel:0 is a link to another place"),
        ("soft link", "kernel:0 is a link to another place"),
        ("linked layer", "vars is a link to another place"),
        ("linked root", "model_weights is a link to another place"),
        ("external storage", "the numbers of kernel:0 are in another file"),
    ],
)
def test_bad_files_say_what_they_are(case, words, tmp_path):
    bad_file(case, tmp_path / "bad.weights.h5")
    with pytest.raises(InputError, match=f"bad.weights.h5 .*{words}"):
        weights.read(tmp_path / "bad.weights.h5")


@pytest.mark.parametrize("member", ["../outside", "/etc/x", "a/../../x", "C:/x"])
def test_archive_members_outside_their_folder_are_refused(member, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({}))
        archive.writestr(member, "x")
    for load_it in (weights.read, keras_resnet.load_model):
        with pytest.raises(InputError, match=r"m.keras has the member .* outside its folder"):
            load_it(tmp_path / "m.keras")
