"""docs/theory.md, section 2: deep linear networks near the identity: gradients, minima, and the rate of descent."""

import numpy as np
import pytest

WIDTH, DEPTH = 6, 12


def chain(layers):
    """Products of the layers below and above each one, and of all."""
    below = [np.eye(WIDTH)]
    for layer in layers:
        below.append(layer @ below[-1])
    above = [np.eye(WIDTH)]
    for layer in layers[::-1]:
        above.append(above[-1] @ layer)
    return below[:-1], above[::-1][1:], below[-1]


def loss(layers, target, covariance):
    """E ||W_L ... W_1 x - target x||^2 for x of this covariance; its minimum is 0."""
    error = chain(layers)[2] - target
    return np.trace(error @ covariance @ error.T)


def gradients(layers, target, covariance):
    below, above, whole = chain(layers)
    return [2 * a.T @ (whole - target) @ covariance @ b.T for a, b in zip(above, below, strict=True)]


def gradient_bound(tau, covariance, value):
    """Theorem 2: 4 L (1 - tau)^(2L - 2) lambda_min(covariance) times the loss."""
    return 4 * DEPTH * (1 - tau) ** (2 * DEPTH - 2) * np.linalg.eigvalsh(covariance)[0] * value


def problem(rng):
    inputs = rng.normal(size=(WIDTH, 4 * WIDTH))
    return np.eye(WIDTH) + 0.3 * rng.normal(size=(WIDTH, WIDTH)), inputs @ inputs.T / inputs.shape[1]


def near_identity(rng, tau):
    drawn = rng.normal(size=(DEPTH, WIDTH, WIDTH))
    return np.eye(WIDTH) + tau * drawn / np.linalg.norm(drawn, 2, axis=(1, 2))[:, None, None]


def test_gradients_are_those_of_the_loss(rng):
    target, covariance = problem(rng)
    layers = near_identity(rng, 0.2)
    step = np.zeros_like(layers)
    step[3, 1, 2] = 1e-6
    numeric = (loss(layers + step, target, covariance) - loss(layers - step, target, covariance)) / 2e-6
    assert gradients(layers, target, covariance)[3][1, 2] == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("tau", [0.05, 0.3, 0.8])
def test_near_the_identity_only_global_minima_have_no_gradient(rng, tau):
    """Theorem 2: with all ||F_i|| <= tau < 1 the gradient is at least a multiple of the loss."""
    for _ in range(20):
        target, covariance = problem(rng)
        layers = near_identity(rng, tau)
        size = sum(np.sum(g**2) for g in gradients(layers, target, covariance))
        assert size >= gradient_bound(tau, covariance, loss(layers, target, covariance))


def test_the_origin_of_plain_nets_is_a_critical_point_and_no_minimum(rng):
    """Companion: at W = 0, where F = -I has norm 1, the gradient is zero and the loss is not."""
    target, covariance = problem(rng)
    layers = np.zeros((DEPTH, WIDTH, WIDTH))
    assert not any(g.any() for g in gradients(layers, target, covariance))
    assert loss(layers, target, covariance) > 0.1


def condition(layers, covariance):
    """Condition number of the Gauss-Newton matrix, whose smallest and largest eigenvalue rule gradient descent."""
    below, above, _ = chain(layers)
    root = np.linalg.cholesky(covariance)
    matrix = sum(
        np.kron(root.T @ b.T @ b @ root, a @ a.T) for a, b in zip(above, below, strict=True)
    )  # of vec(W) -> vec(product, root), per layer J J^T
    values = np.linalg.eigvalsh(matrix)
    return values[-1] / values[0]


@pytest.mark.parametrize("epsilon", [0.02, 0.1])
def test_the_rate_of_convergence_is_bounded_near_the_identity(rng, epsilon):
    """Theorem 3: condition at most ((1 + e) / (1 - e))^(2L - 2) times that of the data, for any depth."""
    _, covariance = problem(rng)
    bound = ((1 + epsilon) / (1 - epsilon)) ** (2 * DEPTH - 2) * np.linalg.cond(covariance)
    assert condition(near_identity(rng, epsilon), covariance) <= bound


def test_plain_random_layers_are_not_bounded_so(rng):
    """Companion: layers of the same mean size, but not near the identity."""
    _, covariance = problem(rng)
    plain = rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    bound = (1.1 / 0.9) ** (2 * DEPTH - 2) * np.linalg.cond(covariance)
    assert condition(plain, covariance) > 10 * bound


def descend(layers, target, covariance, steps=400):
    """Losses of gradient descent with the step 1 / (largest curvature at the start)."""
    layers = np.array(layers)
    below, above, _ = chain(layers)
    norms = [np.linalg.norm(a, 2) * np.linalg.norm(b, 2) for a, b in zip(above, below, strict=True)]
    rate = 0.25 / (np.linalg.norm(covariance, 2) * sum(n**2 for n in norms))
    values = []
    for _ in range(steps):
        values.append(loss(layers, target, covariance))
        layers = layers - rate * np.array(gradients(layers, target, covariance))
    return values


def test_descent_from_the_identity_converges_and_from_plain_layers_it_crawls(rng):
    """Theorem 3 in practice, with the same target and the same rule for the step."""
    target, covariance = problem(rng)
    residual = descend(np.tile(np.eye(WIDTH), (DEPTH, 1, 1)), target, covariance)
    plain = descend(rng.normal(size=(DEPTH, WIDTH, WIDTH)) / np.sqrt(WIDTH), target, covariance)
    assert residual[-1] < 1e-3 * residual[0]
    assert plain[-1] > 0.1 * plain[0]


def test_far_targets_break_the_descent_from_the_identity(rng):
    """Companion (Bartlett et al. 2018): a target with negative determinant cannot be reached from the identity."""
    target = np.diag([-1.0, *[1.0] * (WIDTH - 1)])
    values = descend(np.tile(np.eye(WIDTH), (DEPTH, 1, 1)), target, np.eye(WIDTH), steps=2000)
    assert values[-1] > 0.9  # what it would take is -1 where 0 is the nearest it comes
