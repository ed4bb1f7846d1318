"""Rates at the paper's steps, whatever the length; the plateau rule; the cosine."""

import math

import pytest

from keras_resnet.training.state import State
from keras_resnet.training.stepping.schedules import CIFAR_MILESTONES, IMAGENET_MILESTONES, schedule, update_plateau


@pytest.mark.parametrize("total", [64_000, 8_000, 600])
def test_cifar_falls_at_a_half_and_three_quarters(total):
    rate = schedule("steps", 0.1, total, CIFAR_MILESTONES)
    assert rate(0, 0) == rate(total // 2 - 1, 0) == 0.1
    assert rate(total // 2, 0) == rate(3 * total // 4 - 1, 0) == pytest.approx(0.01)
    assert rate(3 * total // 4, 0) == rate(total - 1, 0) == pytest.approx(0.001)


def test_imagenet_falls_at_30_60_and_80_of_90_epochs():
    rate = schedule("steps", 0.1, 90 * 5004, IMAGENET_MILESTONES)
    for epoch, expected in ((0, 0.1), (29, 0.1), (30, 0.01), (59, 0.01), (60, 1e-3), (79, 1e-3), (80, 1e-4)):
        assert rate(epoch * 5004, 0) == pytest.approx(expected)


def test_cosine_rises_over_the_warm_up_and_falls_to_zero():
    rate = schedule("cosine", 0.4, 1100, warm_up_steps=100)
    assert [rate(step, 0) for step in (0, 49, 99)] == pytest.approx([0.004, 0.2, 0.4])
    assert rate(600, 0) == pytest.approx(0.2)
    assert rate(850, 0) == pytest.approx(0.4 * (1 + math.cos(0.75 * math.pi)) / 2)
    assert rate(1100, 0) == pytest.approx(0)


def test_a_plateau_is_five_validations_without_a_tenth_of_a_point():
    state, rate = State(), schedule("plateau", 0.1, 10**6)
    errors = [50, 40, 39.95, 39.92, 39.91, 39.905, 39.9]  # 39.9 is a tenth better than 40: progress
    for error in errors:
        update_plateau(state, error)
    assert (state.drops, state.plateau_error) == (0, 39.9)
    for error in (39.85, 39.85, 39.85, 39.85):
        update_plateau(state, error)
    assert state.drops == 0
    update_plateau(state, 39.85)
    assert state.drops == 1
    assert rate(123, state.drops) == pytest.approx(0.01)


def test_the_plateau_after_the_third_drop_ends_the_run():
    state = State()
    update_plateau(state, 30)
    drops = []
    while not state.finished:
        update_plateau(state, 30)
        drops.append(state.drops)
    assert drops == [0] * 4 + [1] * 5 + [2] * 5 + [3] * 6
