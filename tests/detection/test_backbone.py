"""Backbones: every tensor of the classifier is in the detector and gives the same outputs."""

import h5py
import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.detection import FasterRCNN, from_network, vgg16

SMALL = {"width": 0.125}
SHALLOW = {**SMALL, "blocks": (1, 1, 1, 1)}


@pytest.mark.long
@pytest.mark.parametrize("builder", ["ResNet18", "PlainNet18", "ResNet50"])
def test_shared_layers_and_head_together_are_the_classifier(builder, rng):
    """At 224 pixels the map has 14 x 14 cells, as a region has, so conv5_x computes what it does in the classifier."""
    network = getattr(keras_resnet, builder)(classes=3, **SHALLOW)
    backbone = from_network(network)
    images = rng.normal(size=(2, 224, 224, 3)).astype("float32") * 50
    features = backbone.shared(images)
    assert features.shape[1:3] == (14, 14)
    pooled = keras.Model(network.input, network.get_layer("avg_pool").output)
    np.testing.assert_allclose(backbone.head(features), pooled(images), rtol=1e-4, atol=1e-5)
    assert backbone.shared(images[:, :200, :120]).shape[1:3] == (13, 8)


@pytest.mark.long
def test_every_tensor_is_accounted_for():
    network = keras_resnet.ResNet18(classes=3, **SHALLOW)
    backbone = from_network(network)
    model = FasterRCNN(backbone, ["a", "b"])
    assert {**backbone.taken, **backbone.left}.keys() == weights.named_arrays(network).keys()
    new = {v.path: v.numpy() for v in model.weights}
    arrays = weights.named_arrays(network)
    for name, shape in backbone.taken.items():
        np.testing.assert_array_equal(new.pop(name), arrays[name])
        assert arrays[name].shape == shape
    layers = {name.split("/")[0] for name in new}
    assert layers == {"rpn_conv", "rpn_scores", "rpn_deltas", "class_scores", "box_deltas"}
    assert f"taken: {len(backbone.taken)} tensors" in model.transfer
    assert f"new: {len(new)} tensors" in model.transfer
    assert all(name in model.transfer for name in ("predictions/kernel", "rpn_conv/kernel"))


@pytest.mark.long
def test_normalization_conv1_and_conv2_are_frozen():
    model = FasterRCNN(keras_resnet.ResNet50(**SHALLOW), 2)
    learning = {v.path for v in model.trainable_variables}
    assert not any("bn" in name for name in learning)
    assert {name.split("_")[0] for name in learning} == {"conv3", "conv4", "conv5", "rpn", "class", "box"}


def test_cifar_networks_and_other_models_are_refused_by_name():
    with pytest.raises(InputError, match="ResNet20 is a CIFAR network, of stride 4"):
        from_network(keras_resnet.ResNet20())
    with pytest.raises(InputError, match="needs a network of keras_resnet"):
        from_network(keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)], name="other"))


@pytest.mark.long
def test_a_looped_network_gives_the_same_features(rng):
    network = keras_resnet.ResNet18(unroll=False, **SMALL)
    images = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    unrolled = keras_resnet.convert(network, unroll=True)
    np.testing.assert_allclose(
        from_network(network).shared(images), from_network(unrolled).shared(images), rtol=1e-5, atol=1e-5
    )


@pytest.fixture(scope="module")
def random_vgg16():
    return vgg16()


@pytest.mark.long
def test_vgg16_is_that_of_keras_applications(rng, random_vgg16):
    """Its shared layers and head on a 7 x 7 map are VGG-16 up to fc2."""
    backbone = random_vgg16
    features = rng.normal(size=(1, 7, 7, 512)).astype("float32")
    layers = {layer.name: layer for layer in backbone.head.layers}
    flat = np.maximum(features.reshape(1, -1) @ layers["fc1"].kernel.numpy() + layers["fc1"].bias.numpy(), 0)
    expected = np.maximum(flat @ layers["fc2"].kernel.numpy() + layers["fc2"].bias.numpy(), 0)
    np.testing.assert_allclose(backbone.head(features), expected, rtol=1e-3, atol=1e-5)
    assert backbone.shared(np.zeros((1, 64, 96, 3), "float32")).shape == (1, 4, 6, 512)
    learning = {v.path.split("/")[0].split("_")[0] for v in backbone.shared.trainable_variables}
    assert learning == {"block3", "block4", "block5"}
    assert backbone.preprocessing.channels == "BGR"


@pytest.mark.long
def test_vgg16_takes_a_file_of_keras_applications(random_vgg16, rng, tmp_path):
    wanted = {}
    for name, shape in {**random_vgg16.taken, **random_vgg16.left}.items():
        wanted.setdefault(name.split("/")[0], []).append(np.full(shape, rng.normal(), "float16"))
    write_layers(tmp_path / "w.h5", wanted)
    backbone = vgg16(str(tmp_path / "w.h5"))
    variables = {v.path: v for part in (backbone.shared, backbone.head) for v in part.weights}
    del wanted["predictions"]
    assert len(variables) == 2 * len(wanted)
    for name, arrays in wanted.items():
        for array, weight in zip(arrays, ("kernel", "bias"), strict=True):
            np.testing.assert_array_equal(variables[f"{name}/{weight}"], array)


def write_layers(path, layers):
    """The layers' kernels and biases in Keras 2's layout, with the names that the published file has."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, arrays in layers.items():
            for array, letter in zip(arrays, "Wb", strict=True):
                file[f"{name}/{name}_{letter}_1:0"] = array


FIRST = {"block1_conv1": [np.ones((3, 3, 3, 64), "float32"), np.zeros(64, "float32")]}


def hostile_vgg16(case, path):
    """Write a file that must not be accepted as VGG-16's weights."""
    if case == "huge by its header":
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"fc1"]
            file.create_dataset("fc1/fc1_W_1:0", (2**20, 2**20), "f4", chunks=(2**10, 2**10))
        return
    kernel, bias = FIRST["block1_conv1"]
    layers = {
        "one layer of them": FIRST,
        "other channels": {"block1_conv1": [kernel[..., :32], bias]},
        "NaN": {"block1_conv1": [kernel * np.nan, bias]},
        "texts": {"block1_conv1": [np.full(kernel.shape, b"x"), bias]},
        "two kernels": {"block1_conv1": [kernel, kernel]},
    }.get(case, FIRST)
    write_layers(path, layers)
    if case == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    if case == "text":
        path.write_text("no HDF5")
    if case == "linked":
        with h5py.File(path, "a") as file:
            file["fc1"] = h5py.ExternalLink("/etc/hostname", "/x")


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("one layer of them", "does not fit VGG16: block1_conv2/kernel is no such key in the file"),
        ("other channels", r"does not fit VGG16: .*\(3, 3, 3, 32\) in the file and \(3, 3, 3, 64\) in the network"),
        ("NaN", "block1_conv1_W_1.* has NaN or infinite numbers"),
        ("texts", "holds .* instead of numbers"),
        ("two kernels", "is not a file of VGG-16, whose layers have one kernel and one bias each: .*_W_1.* and .*_b_1"),
        ("cut", "is damaged or not a Keras weight file"),
        ("text", "is damaged or not a Keras weight file"),
        ("linked", "fc1 is a link to another place"),
        ("huge by its header", "would take 4,398,046,511,104 bytes"),
    ],
)
def test_hostile_files_of_vgg16_are_refused_before_they_take_memory(case, words, tmp_path, monkeypatch):
    hostile_vgg16(case, tmp_path / "w.h5")
    monkeypatch.setattr(keras.Variable, "assign", lambda *_: pytest.fail("a weight was assigned"))
    with pytest.raises(InputError, match=rf"w\.h5.*{words}") as refusal:
        vgg16(str(tmp_path / "w.h5"))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["none.h5", "none.npz"])
def test_files_of_vgg16_that_are_missing_or_of_another_program_are_named(name):
    with pytest.raises(InputError, match=f"There is no weight file {name}|{name} is not a file of weights"):
        vgg16(name)
