"""Norms and constants against explicit matrices."""

import keras
import numpy as np
import pytest
from tiny_networks import batch, jacobian, jacobians, matrix_of, tiny

import keras_resnet
from keras_resnet import analysis
from keras_resnet.weights import fold_batch_norm

pytestmark = pytest.mark.long


@pytest.mark.parametrize("changes", [{}, {"block": "bottleneck"}, {"residual": False}, {"shortcut": "C"}])
def test_spectral_norms_are_those_of_the_explicit_matrices(rng, changes):
    """Every convolution with its stride, padding and normalization, as one matrix over all positions."""
    model = tiny(rng, **changes)
    folded = fold_batch_norm(model)
    norms = {k: v for part in analysis.split(model) for k, v in analysis.layer_norms(part).items()}
    for layer in folded.layers:
        if isinstance(layer, keras.layers.Conv2D):
            pad = folded.get_layer(layer.name.replace("_conv", "_pad")) if layer.padding == "valid" and \
                layer.kernel_size != (1, 1) else keras.layers.Identity()  # fmt: skip
            start = pad.input.shape[1:] if layer.padding == "valid" and layer.kernel_size != (1, 1) else \
                layer.input.shape[1:]  # fmt: skip
            matrix = matrix_of(lambda x, pad=pad, layer=layer: layer(pad(x)) - layer.bias, start)
            assert norms[layer.name] == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-5)
    assert norms["predictions"] == pytest.approx(np.linalg.norm(model.get_layer("predictions").kernel.numpy(), 2))


@pytest.mark.parametrize(
    "changes",
    [{}, {"residual": False}, {"placement": "full_preactivation"}, {"unroll": False, "blocks": (2,), "filters": (2,)}],
)
def test_measured_constants_are_norms_of_jacobians_and_below_the_bounds(rng, changes):
    model = tiny(rng, **changes)
    images, _ = batch(rng, model, 2)
    for part, constants in zip(analysis.split(model), analysis.lipschitz(model, images), strict=True):
        assert constants.name == part.name
        matrices = jacobians(lambda x, p=part: p.model(x, training=False), images)
        np.testing.assert_allclose(constants.local, np.linalg.norm(matrices, 2, axis=(1, 2)), rtol=1e-5, atol=1e-6)
        assert (constants.local <= constants.bound * (1 + 1e-5)).all()
        images = part.model(images, training=False).numpy()


def test_the_pool_of_imagenet_nets_is_within_its_bound(rng):
    model = keras_resnet.ResNet18(blocks=(1,), filters=(64,), input_shape=(32, 32, 3), width=0.0625)
    stem = analysis.lipschitz(model, batch(rng, model, 2)[0])[0]
    assert stem.bound == pytest.approx(2 * stem.layers["conv1_conv"])
    assert (stem.local <= stem.bound).all()


def test_gates_have_no_bound(rng):
    constants = analysis.lipschitz(*(lambda m: (m, batch(rng, m, 1)[0]))(tiny(rng, shortcut="highway")))
    assert np.isinf([constant.bound for constant in constants if "block" in constant.name]).all()
    assert np.isfinite([constant.local for constant in constants]).all()


def test_singular_values_of_blocks_and_products(rng):
    """All of them, with as many steps as there are dimensions, and of a stage's blocks together."""
    model = tiny(rng, blocks=(2,), filters=(2,), size=4)
    image = batch(rng, model, 1)[0]
    stem, first, second, _ = analysis.split(model)
    x = stem.model(image, training=False)
    matrices = [jacobian(lambda v, p=part: p.model(v, training=False), at) for part, at in
                ((first, x), (second, first.model(x, training=False)))]  # fmt: skip
    one, two = analysis.conditioning(model, image, steps=32, probes=1)
    for constants, matrix in (
        (one.block, matrices[0]),
        (two.block, matrices[1]),
        (two.product, matrices[1] @ matrices[0]),
    ):
        exact = np.linalg.svd(matrix, compute_uv=False)
        summary = analysis.singular_values(constants)
        assert summary["max"] == pytest.approx(exact[0], rel=1e-3)
        assert summary["min"] == pytest.approx(exact[-1], abs=2e-2 * float(exact[0]))
    many = analysis.conditioning(model, image, steps=4, probes=40)[1].product  # of which the mean takes one step
    assert analysis.singular_values(many)["rms"] == pytest.approx(np.sqrt(np.mean(exact**2)), rel=0.15)


def test_singular_values_at_several_images_are_those_at_each_together(rng):
    """Each image counts alike."""
    model = tiny(rng, blocks=(1,), filters=(2,), size=4)
    images = batch(rng, model, 3)[0]
    (together,) = analysis.conditioning(model, images, steps=32, probes=1)
    alone = [analysis.conditioning(model, image[None], steps=32, probes=1)[0].block for image in images]
    nodes = np.concatenate([one.nodes for one in alone])
    order = np.argsort(nodes)
    np.testing.assert_allclose(together.block.nodes, nodes[order], rtol=1e-4, atol=1e-4 * nodes.max())
    np.testing.assert_allclose(together.block.moment(1), np.mean([one.moment(1) for one in alone]), rtol=1e-5)
    assert together.block.weights.sum() == pytest.approx(1)
