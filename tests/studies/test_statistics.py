"""Welch's test against its formulas, and the verdicts."""

import math

import numpy as np
import pytest
from scipy import stats

from keras_resnet.studies import compare
from keras_resnet.studies.statistics import mean_std


def test_interval_and_p_are_welch_s(rng):
    first, second = rng.normal(7, 0.3, 5), rng.normal(6.5, 0.1, 4)
    found = compare(first, second)
    shares = [np.var(x, ddof=1) / len(x) for x in (first, second)]
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / 4 + shares[1] ** 2 / 3)
    error = math.sqrt(sum(shares))
    half = stats.t.ppf(0.975, freedom) * error
    difference = first.mean() - second.mean()
    assert found["difference"] == pytest.approx(difference)
    np.testing.assert_allclose(found["interval"], [difference - half, difference + half])
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(difference) / error, freedom))


def test_several_comparisons_widen_the_intervals():
    first, second = [7.0, 7.2, 7.1], [6.8, 6.9, 6.7]
    one, four = compare(first, second), compare(first, second, 4)
    assert four["interval"][0] < one["interval"][0] < one["interval"][1] < four["interval"][1]


def test_clear_differences_decide():
    found = compare([9.0, 9.1, 9.2], [7.0, 7.1, 7.2])
    assert found["decides"]
    assert found["words"] == "decides: higher error"
    assert compare([7.0, 7.1, 7.2], [9.0, 9.1, 9.2])["words"] == "decides: lower error"


def test_small_ones_say_how_many_seeds_they_need(rng):
    """The number is right: as many values of the same mean and spread decide, one fewer do not."""
    first, second = np.array([7.0, 7.4, 7.2]), np.array([6.9, 7.3, 7.1])
    found = compare(first, second)
    assert not found["decides"]
    needed = int(found["words"].split("needs about ")[1].split()[0])
    unit = rng.normal(size=needed)
    for seeds, decides in ((needed, True), (needed - 1, False)):
        spread = unit[:seeds] - unit[:seeds].mean()
        spread *= 0.2 / spread.std(ddof=1)
        assert compare(7.2 + spread, 7.1 + spread)["decides"] == decides


def test_single_and_equal_runs_decide_nothing():
    assert "single run" in compare([7.0], [6.0, 6.1])["words"]
    assert "no spread" in compare([7.0, 7.0], [6.0, 6.0])["words"]
    assert not compare([7.0], [6.0])["decides"]
    assert mean_std([7.0]) == (7.0, None)
    assert mean_std([6.0, 8.0]) == (7.0, pytest.approx(math.sqrt(2)))
