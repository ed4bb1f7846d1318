"""docs/theory.md, section 4: what y = F(x) + x cannot represent, or cannot make better; each with a counter-example."""

import numpy as np
import pytest
from conftest import randomize
from scipy.optimize import linprog

import keras_resnet
from keras_resnet import analysis


def block(name, **changes):
    model = keras_resnet.ResNet20(
        blocks=(1, 1), filters=(2, 4), input_shape=(8, 8, 3), placement="relu_only_preactivation", **changes
    )
    randomize(model, np.random.default_rng(0))
    part = next(part for part in analysis.split(model) if part.name == name)
    return model, part


def silence_branch(model):
    """Make F zero in all blocks."""
    for layer in model.layers:
        if layer.name.endswith("_2_bn"):
            layer.gamma.assign(0 * layer.gamma.value)
            layer.beta.assign(0 * layer.beta.value)


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_strided_shortcuts_see_a_quarter_of_the_positions(rng, shortcut):
    """4.1: with F = 0, inputs that differ only at odd positions give the same output, with zeros and projections."""
    model, part = block("conv3_block1", shortcut=shortcut)
    silence_branch(model)
    x = np.abs(rng.normal(size=(1, 8, 8, 2))).astype(np.float32)
    other = x.copy()
    other[:, 1::2] += 1
    other[:, :, 1::2] += 1
    np.testing.assert_array_equal(part.model(x), part.model(other))


def test_with_its_branch_the_block_sees_them(rng):
    """Companion: F, of 3x3 convolutions, reads every position."""
    _, part = block("conv3_block1", shortcut="A")
    x = np.abs(rng.normal(size=(1, 8, 8, 2))).astype(np.float32)
    other = x.copy()
    other[:, 1::2] += 1
    assert np.abs(part.model(x) - part.model(other)).max() > 0.01


def test_zero_channels_leave_new_channels_to_the_branch(rng):
    """4.2: with F = 0 option A's new channels are zero for every input; those of a projection are not."""
    x = np.abs(rng.normal(size=(1, 8, 8, 2))).astype(np.float32)
    for shortcut, reached in (("A", False), ("B", True)):
        model, part = block("conv3_block1", shortcut=shortcut)
        silence_branch(model)
        new = np.asarray(part.model(x))[..., 2:]
        assert new.any() == reached


def linear_through_relu(width, target):
    """The least relative squared error of W2 relu(W1 x) against target x over 200 draws of W1, W2 solved for."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, target.shape[1]))
    best = np.inf
    for _ in range(200):
        hidden = rng.normal(size=(width, target.shape[1]))
        if width == 2 * target.shape[1]:
            half = rng.normal(size=(target.shape[1], target.shape[1]))
            hidden = np.concatenate([half, -half])  # relu(u) - relu(-u) = u
        features = np.maximum(x @ hidden.T, 0)
        expected = x @ target.T
        solved = np.linalg.lstsq(features, expected, rcond=None)[0]
        best = min(best, np.mean((features @ solved - expected) ** 2) / np.mean(expected**2))
    return best


def test_a_branch_of_doubled_width_makes_up_for_the_missing_projection():
    """4.2: relu(u) - relu(-u) = u, so with 2n hidden channels F is any linear map: what the paper's doubling gives."""
    target = np.random.default_rng(1).normal(size=(4, 2))
    assert linear_through_relu(4, target) < 1e-20


def test_a_narrower_branch_does_not():
    """Companion: with n hidden channels F cannot be linear, and option A is worse than B however it is trained."""
    target = np.random.default_rng(1).normal(size=(4, 2))
    assert linear_through_relu(2, target) > 0.05


def residual_line(slopes, points):
    """y = x + sum of w relu(s (x - b)), whose branch has the Lipschitz constant sum |w s| at most."""
    return points + sum(w * np.maximum(s * (points - b), 0) for w, s, b in slopes)


def test_blocks_with_contractive_branches_keep_the_order_of_a_line(rng):
    """4.3: with Lip(F) < 1 every block is increasing on a line, so no depth of them makes -x, or |x|."""
    points = np.linspace(-1, 1, 201)
    for _ in range(50):
        y = points
        for _ in range(8):
            raw = rng.normal(size=(5, 3))
            scale = 0.99 / np.sum(np.abs(raw[:, 0] * raw[:, 1]))
            y = residual_line([(w * scale, s, b) for w, s, b in raw], y)
        assert (np.diff(y) > 0).all()
        assert np.abs(y + points).max() >= 1 - 1e-9  # -x: at the ends an increasing y is wrong by 1 at least


def test_the_best_increasing_map_misses_minus_x_by_one():
    """4.3: the bound is sharp, by linear programming over all increasing maps of 21 points."""
    points = np.linspace(-1, 1, 21)
    n = len(points)
    order = np.zeros((n - 1, n + 1))
    order[range(n - 1), range(n - 1)], order[range(n - 1), range(1, n)] = 1, -1
    above, below = np.eye(n, n + 1), -np.eye(n, n + 1)
    above[:, -1] = below[:, -1] = -1
    matrix, limits = np.vstack([order, above, below]), np.concatenate([np.zeros(n - 1), -points, points])
    best = linprog(np.eye(n + 1)[-1], matrix, limits, bounds=[(None, None)] * (n + 1))
    assert best.fun == pytest.approx(1, abs=1e-6)


def test_with_a_larger_branch_the_line_turns_around():
    """Companion: F = -2x has Lipschitz constant 2, and x + F = -x."""
    points = np.linspace(-1, 1, 21)
    np.testing.assert_allclose(residual_line([(-2, 1, 0), (2, -1, 0)], points), -points, atol=1e-12)


def descend(rng, residual, decay=0.0, layers=1, steps=50):
    """Weights W, or I + W, of ``layers`` linear layers after gradient descent from the same function."""
    x, target = rng.normal(size=(3, 30)), rng.normal(size=(3, 3))
    start = np.eye(3) + 0.1 * rng.normal(size=(layers, 3, 3))
    shift = np.eye(3) if residual else np.zeros((3, 3))
    weights = start - shift
    for _ in range(steps):
        whole = weights + shift
        outputs = [x]
        for layer in whole:
            outputs.append(layer @ outputs[-1])
        error = (outputs[-1] - target @ x) / x.shape[1]
        grads = []
        for layer, below in zip(whole[::-1], outputs[-2::-1], strict=True):
            grads.append(error @ below.T)
            error = layer.T @ error
        weights = weights - 0.05 * (np.array(grads[::-1]) + decay * weights)
    return weights + shift


def test_a_single_linear_layer_gains_nothing_from_a_shortcut():
    """4.4 (Sec. 3.2): y = W x + x is a plain layer I + W; descent takes both through the same functions."""
    plain, residual = (descend(np.random.default_rng(0), residual_form) for residual_form in (False, True))
    np.testing.assert_allclose(plain, residual, atol=1e-12)


def test_decay_tells_them_apart():
    """Companion: decay pulls a plain layer to zero and a residual one to the identity."""
    plain, residual = (descend(np.random.default_rng(0), residual_form, decay=0.5) for residual_form in (False, True))
    assert np.abs(plain - residual).max() > 0.1
    assert np.trace(residual[0]) > np.trace(plain[0])
