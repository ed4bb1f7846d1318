"""Rates at the paper's steps, whatever the length."""

import pytest

from keras_resnet.training.schedules import CIFAR_MILESTONES, IMAGENET_MILESTONES, step_schedule


@pytest.mark.parametrize("total", [64_000, 8_000, 600])
def test_cifar_falls_at_a_half_and_three_quarters(total):
    rate = step_schedule(0.1, total, CIFAR_MILESTONES)
    assert rate(0) == rate(total // 2 - 1) == 0.1
    assert rate(total // 2) == rate(3 * total // 4 - 1) == pytest.approx(0.01)
    assert rate(3 * total // 4) == rate(total - 1) == pytest.approx(0.001)


def test_imagenet_falls_at_30_60_and_80_of_90_epochs():
    rate = step_schedule(0.1, 90 * 5004, IMAGENET_MILESTONES)
    for epoch, expected in ((0, 0.1), (29, 0.1), (30, 0.01), (59, 0.01), (60, 1e-3), (79, 1e-3), (80, 1e-4)):
        assert rate(epoch * 5004) == pytest.approx(expected)
