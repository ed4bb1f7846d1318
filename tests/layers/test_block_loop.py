"""Loops: each slice is drawn as its own kernel, and state, seeds and rates are each block's own."""

import math

import keras
import numpy as np
import pytest
from conftest import compile_to_train, xla_too

from keras_resnet import ResNet20, ResNet110
from keras_resnet.layers import BlockLoop
from keras_resnet.weights import assign_arrays, named_arrays


def loops(model):
    return [layer for layer in model.layers if isinstance(layer, BlockLoop)]


def test_each_slice_is_initialized_as_its_own_kernel():
    """He's deviation per block (a stacked fan-in would give a quarter of it at 17 blocks), no two draws alike."""
    loop = loops(ResNet110(unroll=False))[-1]
    kernels = loop.stacked[0].numpy()
    assert kernels.shape == (17, 3, 3, 64, 64)
    np.testing.assert_allclose(kernels.std(axis=(1, 2, 3, 4)), math.sqrt(2 / (9 * 64)), rtol=0.03)
    flat = kernels.reshape(17, -1)
    correlation = np.corrcoef(flat) - np.eye(17)
    assert np.abs(correlation).max() < 0.05


def test_stochastic_depth_rates_rise_over_the_loop():
    model = ResNet20(unroll=False, stochastic_depth=0.9)
    rates = np.concatenate([v.numpy().ravel() for v in model.weights if "rate" in v.name])
    np.testing.assert_allclose(np.sort(rates), 0.1 * np.arange(1, 10), rtol=1e-6)


def test_blocks_and_steps_draw_their_own_dropout(rng):
    image = keras.Input((2000,))
    template = keras.Model(image, keras.layers.Dropout(0.5)(image))
    loop = BlockLoop(template, 3)
    x = np.ones((1, 2000), "float32")
    first, second = np.asarray(loop(x, training=True)), np.asarray(loop(x, training=True))
    assert (first > 0).mean() == pytest.approx(1 / 8, abs=0.03)  # independent halves; equal seeds would keep 1/2
    assert (first != second).any()
    np.testing.assert_array_equal(loop(x), x)


@pytest.mark.long
@xla_too
def test_remat_gives_the_same_step(xla, rng):
    """Equal weights and moving statistics: recomputing a block must not update its statistics twice."""
    x, y = rng.normal(size=(8, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 8)
    few = {"blocks": (3, 2), "filters": (16, 32), "unroll": False}
    plain, remat = ResNet20(**few), ResNet20(**few, remat=True)
    assign_arrays(remat, named_arrays(plain))
    for model in (plain, remat):
        compile_to_train(model, keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", xla)
        model.train_on_batch(x, y)
    recomputed = named_arrays(remat)
    for key, value in named_arrays(plain).items():
        np.testing.assert_allclose(value, recomputed[key], atol=1e-5, err_msg=key)
