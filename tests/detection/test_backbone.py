"""Backbones: every tensor of the classifier is in the detector, at its place, with its outputs."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.detection import FasterRCNN, from_network, vgg16

SMALL = {"width": 0.125}


@pytest.mark.parametrize("builder", ["ResNet18", "PlainNet18", "ResNet50"])
def test_shared_layers_and_head_together_are_the_classifier(builder, rng):
    """At 224 pixels the map has 14 x 14 cells, as a region has: conv5_x on it is the classifier's own."""
    network = getattr(keras_resnet, builder)(classes=3, **SMALL)
    backbone = from_network(network)
    images = rng.normal(size=(2, 224, 224, 3)).astype("float32") * 50
    features = backbone.shared(images)
    assert features.shape[1:3] == (14, 14)
    pooled = keras.Model(network.input, network.get_layer("avg_pool").output)
    np.testing.assert_allclose(backbone.head(features), pooled(images), rtol=1e-4, atol=1e-5)
    assert backbone.shared(images[:, :200, :120]).shape[1:3] == (13, 8)


def test_every_tensor_is_accounted_for():
    network = keras_resnet.ResNet18(classes=3, **SMALL)
    backbone = from_network(network)
    model = FasterRCNN(backbone, ["a", "b"])
    assert {**backbone.taken, **backbone.left}.keys() == weights.named_arrays(network).keys()
    own = {v.path: v.numpy() for v in model.weights}
    arrays = weights.named_arrays(network)
    for name, shape in backbone.taken.items():
        np.testing.assert_array_equal(own.pop(name), arrays[name])
        assert arrays[name].shape == shape
    fresh = {name.split("/")[0] for name in own}
    assert fresh == {"rpn_conv", "rpn_scores", "rpn_deltas", "class_scores", "box_deltas"}
    assert f"taken: {len(backbone.taken)} tensors" in model.transfer
    assert f"new: {len(own)} tensors" in model.transfer
    assert all(name in model.transfer for name in ("predictions/kernel", "rpn_conv/kernel"))


def test_normalization_conv1_and_conv2_stand_still():
    model = FasterRCNN(keras_resnet.ResNet50(**SMALL), 2)
    learning = {v.path for v in model.trainable_variables}
    assert not any("bn" in name for name in learning)
    assert {name.split("_")[0] for name in learning} == {"conv3", "conv4", "conv5", "rpn", "class", "box"}


def test_cifar_networks_and_other_models_are_refused_by_name():
    with pytest.raises(InputError, match="ResNet20 is a CIFAR network, of stride 4"):
        from_network(keras_resnet.ResNet20())
    with pytest.raises(InputError, match="needs a network of keras_resnet"):
        from_network(keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)], name="other"))


def test_a_looped_network_gives_the_same_features(rng):
    network = keras_resnet.ResNet18(unroll=False, **SMALL)
    images = rng.normal(size=(1, 64, 64, 3)).astype("float32")
    unrolled = keras_resnet.convert(network, unroll=True)
    np.testing.assert_allclose(
        from_network(network).shared(images), from_network(unrolled).shared(images), rtol=1e-5, atol=1e-5
    )


def test_vgg16_is_keras_applications_own(rng, monkeypatch):
    """Its shared layers and head on a 7 x 7 map are VGG-16 up to fc2."""
    backbone = vgg16()
    features = rng.normal(size=(1, 7, 7, 512)).astype("float32")
    layers = {layer.name: layer for layer in backbone.head.layers}
    flat = np.maximum(features.reshape(1, -1) @ layers["fc1"].kernel.numpy() + layers["fc1"].bias.numpy(), 0)
    expected = np.maximum(flat @ layers["fc2"].kernel.numpy() + layers["fc2"].bias.numpy(), 0)
    np.testing.assert_allclose(backbone.head(features), expected, rtol=1e-3, atol=1e-5)
    assert backbone.shared(np.zeros((1, 64, 96, 3), "float32")).shape == (1, 4, 6, 512)
    learning = {v.path.split("/")[0].split("_")[0] for v in backbone.shared.trainable_variables}
    assert learning == {"block3", "block4", "block5"}
    assert backbone.preprocessing.channels == "BGR"
    with pytest.raises(InputError, match=r"VGG-16's weights none\.h5"):
        vgg16("none.h5")
