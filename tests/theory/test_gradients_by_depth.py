"""docs/theory.md, section 3: how the gradient's size depends on depth at initialization."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.analysis import flow

WIDTH, SIZE, BATCH, SEEDS = 48, 8, 48, 2


def growth(rng, blocks, normalization, **changes):
    """Factor of the gradient's squared norm over each block, from its output to its input; mean of logs over seeds.

    With moving statistics as they start, mean 0 and variance 1, a network is the same one without normalization.
    """
    images = rng.normal(size=(BATCH, SIZE, SIZE, 3)).astype(np.float32)
    labels = rng.integers(0, 10, BATCH)
    logs = []
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        model = keras_resnet.ResNet20(blocks=(blocks,), filters=(WIDTH,), input_shape=(SIZE, SIZE, 3), **changes)
        logs.append(2 * np.log(list(flow(model, images, labels, normalization).values())))
    mean = np.mean(logs, axis=0)
    return np.exp(mean[:-1] - mean[1:])


def test_plain_without_normalization_keeps_the_gradient(rng):
    """He et al. 2015: with fan-in normal weights the factor is about 1; padding takes some away at the borders."""
    factors = growth(rng, 8, "moving", residual=False)
    assert 0.6 < np.exp(np.log(factors).mean()) < 1.1


def test_plain_with_normalization_explodes(rng):
    """Yang et al. 2019: pi / (pi - 1) a layer, 2.15 a block of two, at infinite width and batch."""
    factors = growth(rng, 8, "batch", residual=False)
    assert np.exp(np.log(factors[1:-1]).mean()) == pytest.approx((np.pi / (np.pi - 1)) ** 2, rel=0.15)


def test_residual_without_normalization_doubles_at_each_block(rng):
    """Each branch brings as much as its input: 2 a block, 2^L in all."""
    factors = growth(rng, 8, "moving")
    assert np.exp(np.log(factors[1:-1]).mean()) == pytest.approx(2, rel=0.15)


def test_residual_with_normalization_grows_as_a_power_of_depth(rng):
    """Block l adds a branch of size one to l of them: a factor of 1 + c / l, that falls towards 1."""
    factors = growth(rng, 10, "batch", placement="full_preactivation")
    numbers = np.arange(1, 11)
    constants = (factors - 1) * numbers
    assert (np.diff(factors[:8]) < 0).all()
    assert factors[-2] < 1.35
    assert 1.5 < np.median(constants) < 3
    assert np.prod(factors) < 11**2.5


def test_small_branches_do_not_double(rng):
    """Companion to the doubling: with the branch's last scale at zero, each block is the identity."""
    images, labels = rng.normal(size=(4, SIZE, SIZE, 3)).astype(np.float32), rng.integers(0, 10, 4)
    place = "relu_only_preactivation"  # nothing stands behind the addition
    model = keras_resnet.ResNet20(blocks=(8,), filters=(WIDTH,), input_shape=(SIZE, SIZE, 3), placement=place)
    for layer in model.layers:
        if layer.name.endswith("_2_bn"):
            layer.gamma.assign(0 * layer.gamma.value)
    norms = np.array(list(flow(model, images, labels).values()))
    np.testing.assert_allclose(norms, norms[-1], rtol=1e-5)


def test_plain_layers_of_another_scale_do_not_keep_the_gradient(rng):
    """Companion to He et al.: half the weights, a quarter of the squared gradient a layer."""
    images, labels = rng.normal(size=(4, SIZE, SIZE, 3)).astype(np.float32), rng.integers(0, 10, 4)
    model = keras_resnet.ResNet20(blocks=(4,), filters=(WIDTH,), input_shape=(SIZE, SIZE, 3), residual=False)
    before = np.array(list(flow(model, images, labels).values()))
    for layer in model.layers:
        if "_block" in layer.name and layer.name.endswith("_conv"):
            layer.kernel.assign(0.5 * layer.kernel.value)
    after = np.array(list(flow(model, images, labels).values()))
    factors = (before[0] / before[-1]) / (after[0] / after[-1])
    assert factors == pytest.approx(2 ** (2 * 4), rel=0.05)  # the last block's gate stays, so 8 layers by 2 each
