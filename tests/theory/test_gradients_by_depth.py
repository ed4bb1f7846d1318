"""docs/theory.md, section 3: how the gradient's size depends on depth at initialization."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.analysis import flow

WIDTH, SIZE, BATCH, SEEDS = 48, 8, 48, 2


def growth(rng, blocks, normalization, change=lambda model: None, **changes):
    """Factor of the gradient's squared norm over each block, from its output to its input; mean of logs over seeds.

    ``change`` breaks an assumption of the fresh network. With moving statistics as they start, mean 0 and variance 1,
    a network is the same one without normalization.
    """
    images = rng.normal(size=(BATCH, SIZE, SIZE, 3)).astype(np.float32)
    labels = rng.integers(0, 10, BATCH)
    logs = []
    for seed in rng.integers(2**31, size=SEEDS):
        keras.utils.set_random_seed(int(seed))
        model = keras_resnet.ResNet20(blocks=(blocks,), filters=(WIDTH,), input_shape=(SIZE, SIZE, 3), **changes)
        change(model)
        logs.append(2 * np.log(list(flow(model, images, labels, normalization).values())))
    mean = np.mean(logs, axis=0)
    return np.exp(mean[:-1] - mean[1:])


@pytest.mark.long
def test_plain_without_normalization_keeps_the_gradient(rng):
    """He et al. 2015: with fan-in normal weights the factor is about 1; padding takes some away at the borders."""
    factors = growth(rng, 8, "moving", residual=False)
    assert 0.6 < np.exp(np.log(factors).mean()) < 1.1


def middle(factors):
    """Their geometric mean without the first and the last one, which stem and head touch."""
    return np.exp(np.log(factors[1:-1]).mean())


@pytest.mark.long
def test_plain_with_normalization_explodes(rng):
    """Yang et al. 2019: pi / (pi - 1) a layer, 2.15 a block of two, at infinite width and batch."""
    factors = growth(rng, 8, "batch", residual=False)
    print(f"plain: {middle(factors):.3f} a block")
    assert middle(factors) == pytest.approx((np.pi / (np.pi - 1)) ** 2, rel=0.15)


@pytest.mark.long
def test_plain_with_another_offset_explodes_faster(rng):
    """Companion: 2.15 takes half of the ReLUs to be open, as at offset 0; at -1 a sixth is."""

    def close_more(model):
        for layer in model.layers:
            if "_block" in layer.name and layer.name.endswith("_bn"):
                layer.beta.assign(layer.beta.value - 1)

    factors = growth(rng, 8, "batch", close_more, residual=False)
    print(f"plain at offset -1: {middle(factors):.3f} a block")
    assert middle(factors) > 1.3 * (np.pi / (np.pi - 1)) ** 2


PAPER_S_AND_PREACTIVATION = pytest.mark.parametrize("placement", ["original", "full_preactivation"])


@PAPER_S_AND_PREACTIVATION
@pytest.mark.long
def test_residual_without_normalization_doubles_at_each_block(rng, placement):
    """Each branch contributes as much as its input: a factor of 2 per block, 2^L in all."""
    factors = growth(rng, 8, "moving", placement=placement)
    print(f"{placement}: {middle(factors):.3f} a block")
    assert middle(factors) == pytest.approx(2, rel=0.15)


@pytest.mark.long
@PAPER_S_AND_PREACTIVATION
def test_residual_with_normalization_grows_as_a_power_of_depth(rng, placement):
    """Block l adds a branch of size one to l of them: a factor of 1 + c / l, that falls towards 1."""
    factors = growth(rng, 10, "batch", placement=placement)
    constants = ((factors - 1) * np.arange(1, 11))[1:-2]  # without what stem and head touch
    print(f"{placement}: factors {np.round(factors, 2)}, c {np.round(constants, 2)}")
    assert factors[1] > 1.2 * factors[4]
    assert factors[4] > 1.05 * factors[8]
    assert np.median(constants) == pytest.approx((np.pi / (np.pi - 1)) ** 2, rel=0.2)
    assert (np.abs(constants / np.median(constants) - 1) < 0.4).all()
    assert np.prod(factors) < 11**2.5


@pytest.mark.long
@PAPER_S_AND_PREACTIVATION
def test_branches_that_grow_with_their_input_explode(rng, placement):
    """Companion: block l's branch 2^((l - 1) / 2) in size, as much as all before it: 1 + c at each block."""
    last = "gamma" if placement == "original" else "kernel"

    def grow(model):
        for layer in model.layers:
            if layer.name.endswith("_2_bn" if last == "gamma" else "_2_conv"):
                number = int(layer.name.split("_block")[1].split("_")[0])
                getattr(layer, last).assign(getattr(layer, last).value * 2 ** ((number - 1) / 2))

    factors = growth(rng, 10, "batch", grow, placement=placement)
    print(f"{placement}, growing branches: factors {np.round(factors, 2)}")
    assert (factors[1:-1] > 2.3).all()
    assert np.prod(factors) > 2.3**10


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
    """Companion to He et al.: half the weights give a quarter of the squared gradient per layer."""
    images, labels = rng.normal(size=(4, SIZE, SIZE, 3)).astype(np.float32), rng.integers(0, 10, 4)
    model = keras_resnet.ResNet20(blocks=(4,), filters=(WIDTH,), input_shape=(SIZE, SIZE, 3), residual=False)
    before = np.array(list(flow(model, images, labels).values()))
    layers = [layer for layer in model.layers if "_block" in layer.name and layer.name.endswith("_conv")]
    for layer in layers:
        layer.kernel.assign(0.5 * layer.kernel.value)
    predictions = model.get_layer("predictions")
    predictions.kernel.assign(2 ** len(layers) * predictions.kernel.value)  # the same outputs: the same gradient there
    after = np.array(list(flow(model, images, labels).values()))
    assert (before[0] / before[-1]) / (after[0] / after[-1]) == pytest.approx(2 ** len(layers), rel=1e-4)
