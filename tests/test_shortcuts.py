"""Options A, B, C and the highway gate against their formulas."""

import keras
import numpy as np
from conftest import randomize

from keras_resnet.shortcuts import subsample, summands
from keras_resnet.specs import SPECS, change_spec


def join(option, x_shape, branch_shape, stride, **changes):
    """A model from a block's input and branch to their sum with the shortcut ``option``."""
    spec = change_spec(SPECS["ResNet20"], shortcut=option, **changes)
    x, branch = keras.Input(x_shape), keras.Input(branch_shape)
    shortcut = subsample(x, stride, "b_0") if stride > 1 else x  # as a block does
    summed = summands(shortcut, branch, spec, "b", stride > 1 or x_shape != branch_shape, normalized=True)
    return keras.Model([x, branch], keras.layers.Add(name="b_add")(summed))


def test_option_a_subsamples_and_appends_zeros(rng):
    model = join("A", (6, 6, 4), (3, 3, 8), 2)
    x, branch = rng.normal(size=(2, 6, 6, 4)), rng.normal(size=(2, 3, 3, 8))
    expected = branch.copy()
    expected[..., :4] += x[:, ::2, ::2]
    np.testing.assert_allclose(model([x, branch]), expected, atol=1e-6)
    assert not model.weights


def test_option_a_on_both_sides(rng):
    model = join("A", (6, 6, 4), (3, 3, 8), 2, zero_channels="both_sides")
    x, branch = rng.normal(size=(2, 6, 6, 4)), rng.normal(size=(2, 3, 3, 8))
    expected = branch.copy()
    expected[..., 2:6] += x[:, ::2, ::2]
    np.testing.assert_allclose(model([x, branch]), expected, atol=1e-6)


def test_option_b_projects_only_where_dimensions_change(rng):
    assert not join("B", (6, 6, 4), (6, 6, 4), 1).weights
    model = join("B", (6, 6, 4), (3, 3, 8), 2)
    randomize(model, rng)
    kernel, (gamma, beta, mean, variance) = (model.get_layer(n).get_weights() for n in ("b_0_conv", "b_0_bn"))
    x, branch = rng.normal(size=(2, 6, 6, 4)), rng.normal(size=(2, 3, 3, 8))
    projected = gamma * (x[:, ::2, ::2] @ kernel[0][0, 0] - mean) / np.sqrt(variance + 1e-5) + beta
    np.testing.assert_allclose(model([x, branch]), branch + projected, atol=1e-5)


def test_option_c_projects_always():
    assert len(join("C", (6, 6, 4), (6, 6, 4), 1).trainable_weights) == 3


def test_highway_gates_between_shortcut_and_branch(rng):
    model = join("highway", (6, 6, 4), (6, 6, 4), 1)
    kernel, bias = model.get_layer("b_0_gate").get_weights()
    np.testing.assert_array_equal(bias, np.full(4, -2))
    x, branch = rng.normal(size=(2, 6, 6, 4)), rng.normal(size=(2, 6, 6, 4))
    gate = 1 / (1 + np.exp(-(x @ kernel[0, 0] + bias)))
    np.testing.assert_allclose(model([x, branch]), gate * branch + (1 - gate) * x, atol=1e-5)
