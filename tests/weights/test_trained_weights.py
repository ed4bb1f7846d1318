"""Trained weights know the network to which they belong."""

import numpy as np
import pytest
from conftest import randomize

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.specs import SPECS


@pytest.mark.parametrize("name", ["ResNet18", "ResNet50", "ResNet20", "PlainNet20"])
@pytest.mark.long
def test_the_network_is_told_from_its_weights(name):
    model = keras_resnet.build(SPECS[name])
    assert weights.from_model(model).spec == SPECS[name]


@pytest.mark.long
def test_needs_name_only_what_changes_outputs():
    assert "stride_in" not in weights.from_model(keras_resnet.ResNet18()).needs
    assert weights.from_model(keras_resnet.ResNet50(stride_in="3x3")).needs["stride_in"] == "3x3"
    assert "shortcut" not in weights.from_model(keras_resnet.PlainNet20()).needs
    assert weights.from_model(keras_resnet.ResNet20()).needs["zero_channels"] == "after"


def test_networks_of_other_channels_load_with_theirs(tmp_path):
    model = keras_resnet.ResNet20(input_shape=(32, 32, 1))
    weights.write(model, tmp_path / "grey.npz")
    assert keras_resnet.load_model(tmp_path / "grey.npz").input_shape == (None, 32, 32, 1)
    with pytest.raises(InputError, match=r"grey.npz reads 1 channels: convert the images"):
        keras_resnet.ResNet20(weights=tmp_path / "grey.npz", input_shape=(32, 32, 3))


@pytest.mark.long
def test_fields_left_unset_follow_and_others_conflict():
    model = keras_resnet.ResNet20(placement="full_preactivation", shortcut="B")
    randomize(model, np.random.default_rng(0))
    again = keras_resnet.ResNet20(weights=weights.from_model(model))
    assert (again.spec.placement, again.spec.shortcut) == ("full_preactivation", "B")
    with pytest.raises(InputError, match=r"needs placement='full_preactivation', but .* has placement='original'"):
        keras_resnet.ResNet20(weights=weights.from_model(model), placement="original")
    with pytest.raises(InputError, match="needs residual=True, but the requested PlainNet20 has residual=False"):
        keras_resnet.PlainNet20(weights=weights.from_model(keras_resnet.ResNet20()))


def test_the_variances_take_up_another_epsilon():
    model = keras_resnet.ResNet20(bn_epsilon=1e-3)
    for variable in model.weights:
        if variable.path.endswith("moving_variance"):
            variable.assign(np.full(variable.shape, 0.5))
    same = keras_resnet.ResNet20(weights=weights.from_model(model), bn_epsilon=1e-5)
    assert same.spec.bn_epsilon == 1e-5
    np.testing.assert_allclose(same.get_layer("conv1_bn").moving_variance, 0.5 + 1e-3 - 1e-5, rtol=1e-6)
