"""Directions have the norms of the filters, and the surface is the loss at its points."""

import numpy as np
import pytest
from tiny_networks import batch, tiny

from keras_resnet import analysis


@pytest.mark.parametrize("changes", [{}, {"unroll": False, "blocks": (3, 3)}])
def test_each_filter_of_a_direction_has_the_norm_of_the_network_s(rng, changes):
    model = tiny(rng, **changes)
    loss = analysis.Loss(model, *batch(rng, model))
    direction = loss.tensors(analysis.filter_normalized(loss))
    for variable, part, weight in zip(loss.variables, direction, loss.tensors(loss.weights), strict=True):
        if not variable.name.endswith("kernel"):
            assert not part.numpy().any()
            continue
        in_loop = len(weight.shape) == 5
        axes = (1, 2, 3) if in_loop else tuple(range(len(weight.shape) - 1))
        sizes = [np.sqrt(np.sum(array.numpy() ** 2, axis=axes)) for array in (part, weight)]
        np.testing.assert_allclose(*sizes, rtol=1e-4)


def test_the_surface_is_the_loss_along_its_directions(rng):
    model = tiny(rng)
    images, labels = batch(rng, model)
    loss = analysis.Loss(model, images, labels)
    distances = np.array([-0.5, 0.0, 0.5])
    line, plane = analysis.surface(loss, distances, 1), analysis.surface(loss, distances, 2)
    assert line[1] == plane[1, 1] == loss.value()
    np.testing.assert_allclose(plane[:, 1], line, rtol=1e-6)
    first, second = (loss.tensors(0.5 * analysis.filter_normalized(loss, seed)) for seed in (0, 1))
    for variable, a, b in zip(model.trainable_variables, first, second, strict=True):
        variable.assign_add(a + b)
    assert analysis.Loss(model, images, labels).value() == pytest.approx(plane[2, 2], rel=1e-5)
