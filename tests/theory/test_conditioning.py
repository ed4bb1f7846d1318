"""docs/theory.md, section 1: products of blocks I + F against products of plain blocks."""

import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import analysis

WIDTH = 12


def branches(rng, depth, norm):
    """``depth`` random matrices of spectral norm ``norm``."""
    drawn = rng.normal(size=(depth, WIDTH, WIDTH))
    return norm * drawn / np.linalg.norm(drawn, 2, axis=(1, 2))[:, None, None]


def product(matrices):
    return np.linalg.multi_dot(matrices[::-1])


def spread(matrix):
    """log of the condition number."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return np.log(values[0] / values[-1])


def within_bounds(residual, epsilon, depth):
    values = np.linalg.svd(residual, compute_uv=False)
    return (1 - epsilon) ** depth <= values[-1] * (1 + 1e-12) and values[0] <= (1 + epsilon) ** depth * (1 + 1e-12)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5])
def test_products_of_residual_blocks_stay_within_their_bounds(rng, epsilon):
    """Theorem 1: all singular values of the product lie in [(1 - e)^L, (1 + e)^L]."""
    for depth in (2, 10, 40):
        assert within_bounds(product(np.eye(WIDTH) + branches(rng, depth, epsilon)), epsilon, depth)


def test_the_bounds_are_reached():
    """F = +e I and F = -e I: no sharper bound holds for all F."""
    grown, shrunk = product([np.eye(2) * 1.1] * 20), product([np.eye(2) * 0.9] * 20)
    np.testing.assert_allclose([grown[0, 0], shrunk[0, 0]], [1.1**20, 0.9**20])


def test_with_branches_larger_than_epsilon_the_bounds_fail(rng):
    """Companion: without the assumption ||F|| <= e they do not hold."""
    assert not within_bounds(product(np.eye(WIDTH) + branches(rng, 10, 0.9)), 0.1, 10)


def test_plain_products_spread_exponentially(rng):
    """The log condition number of L random plain layers grows in proportion to L, far beyond residual blocks'."""
    plain = rng.normal(size=(40, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    growth = [spread(product(plain[:depth])) / depth for depth in (10, 20)]  # beyond, float64 ends
    residual = spread(product(np.eye(WIDTH) + branches(rng, 20, 0.1)))
    assert growth[1] == pytest.approx(growth[0], rel=0.5)
    assert 20 * growth[1] > 10 * residual
    assert residual <= 20 * np.log(1.1 / 0.9)


def test_orthogonal_plain_layers_do_not_spread(rng):
    """Companion: the spread of plain layers needs layers that are not orthogonal."""
    orthogonal = [np.linalg.qr(m)[0] for m in rng.normal(size=(20, WIDTH, WIDTH))]
    assert spread(product(orthogonal)) < 1e-10


def network(epsilon):
    """Two blocks of this package without their last ReLU, whose branches have a Lipschitz constant below epsilon."""
    model = keras_resnet.ResNet20(blocks=(2,), filters=(3,), input_shape=(4, 4, 3), placement="relu_only_preactivation")
    for part in analysis.split(model):
        norms = analysis.layer_norms(part)
        for layer in part.layers:
            if part.is_block and layer.name in norms:
                layer.kernel.assign(layer.kernel.value * np.sqrt(epsilon) / norms[layer.name])
    return model


def block_values(model):
    part = analysis.split(model)[2]
    x = tf.constant(np.random.default_rng(0).normal(size=(1, *part.input.shape[1:])), tf.float32)
    (gram,) = analysis.jacobian_grams(part.model, x)
    return np.sqrt(np.linalg.eigvalsh(gram @ np.eye(gram.shape[0])))


@pytest.mark.long
def test_blocks_of_this_package_obey_the_bound():
    """With ReLU the Jacobian of a block is I + W2 D W1, D diagonal of 0 and 1: the bound needs norms alone."""
    values = block_values(network(0.2))
    assert values.min() >= 0.8 - 1e-4
    assert values.max() <= 1.2 + 1e-4
    assert values.max() > 1.0


def test_blocks_with_large_branches_do_not():
    values = block_values(network(4.0))
    assert values.max() > 1.2 or values.min() < 0.8
