"""Tests and intervals against their formulas, Cohen's tables and random draws; and the verdicts in words."""

import math

import numpy as np
import pytest
from scipy import stats

from keras_resnet.studies import compare
from keras_resnet.studies.statistics import mean_std, pooled_variance, seeds_needed


def compare_unpaired(first, second, comparisons=1):
    """Compare runs that have no seed in common."""
    return compare(dict(enumerate(first)), {100 + i: error for i, error in enumerate(second)}, comparisons)


def test_interval_and_p_are_welch_s(rng):
    first, second = rng.normal(7, 0.3, 5), rng.normal(6.5, 0.1, 4)
    result = compare_unpaired(first, second)
    shares = [np.var(x, ddof=1) / len(x) for x in (first, second)]
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / 4 + shares[1] ** 2 / 3)
    error = math.sqrt(sum(shares))
    half = stats.t.ppf(0.975, freedom) * error
    difference = first.mean() - second.mean()
    assert result["difference"] == pytest.approx(difference)
    np.testing.assert_allclose(result["interval"], [difference - half, difference + half])
    assert result["p"] == pytest.approx(2 * stats.t.sf(abs(difference) / error, freedom))
    assert not result["paired"]


def test_runs_of_one_seed_are_paired_if_that_interval_is_tighter(rng):
    """Student's interval of the differences, over the common seeds."""
    seeds = rng.normal(0, 2, 5)  # the effect of a seed on both arms
    first = {
        seed: 7 + shift + noise for seed, (shift, noise) in enumerate(zip(seeds, [0, 0.1, -0.1, 0, 0.1], strict=True))
    }
    second = {seed: 6 + seeds[seed] for seed in (4, 3, 2, 1)} | {9: 30.0}
    result = compare(first, second)
    differences = np.array([1.1, 1.0, 0.9, 1.1])
    half = stats.t.ppf(0.975, 3) * differences.std(ddof=1) / 2
    assert result["paired"]
    assert result["difference"] == pytest.approx(differences.mean())
    np.testing.assert_allclose(result["interval"], [differences.mean() - half, differences.mean() + half])
    assert result["words"] == "decides: higher error"
    two = compare({0: 7.0, 1: 9.0}, {0: 6.0, 1: 8.1})
    assert not two["paired"]  # two differences are too few for a paired test


@pytest.mark.long
def test_choosing_the_tighter_interval_costs_little_of_the_level(rng):
    """Of 1,500 pairs of equal arms about 6.5 % seem to differ; the bounds are the binomial's 99.9 % interval."""
    draws = rng.normal(size=(1500, 2, 3))
    false_alarms = np.mean([compare(dict(enumerate(a)), dict(enumerate(b)))["decides"] for a, b in draws])
    assert 0.044 < false_alarms < 0.086


def test_several_comparisons_widen_the_intervals():
    first, second = [7.0, 7.2, 7.1], [6.8, 6.9, 6.7]
    one, four = compare_unpaired(first, second), compare_unpaired(first, second, 4)
    assert four["interval"][0] < one["interval"][0] < one["interval"][1] < four["interval"][1]


def test_clear_differences_decide():
    result = compare_unpaired([9.0, 9.1, 9.2], [7.0, 7.1, 7.2])
    assert result["decides"]
    assert result["words"] == "decides: higher error"
    assert compare_unpaired([7.0, 7.1, 7.2], [9.0, 9.1, 9.2])["words"] == "decides: lower error"


def test_undecided_comparisons_say_how_many_seeds_they_need():
    result = compare_unpaired([7.0, 7.4, 7.2], [6.9, 7.3, 7.1])
    assert not result["decides"]
    assert f"needs about {seeds_needed(0.1, 0.04, 0.04)} seeds an arm" in result["words"]


@pytest.mark.parametrize(("in_deviations", "seeds"), [(0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)])
def test_the_number_of_seeds_is_that_of_cohen_s_tables(in_deviations, seeds):
    """Cohen 1988, table 2.4.1: two-sided, 5 %, power 0.8."""
    assert seeds_needed(in_deviations * 3, 9, 9) == seeds


def test_with_that_many_seeds_a_difference_is_found_four_times_in_five(rng):
    """With unequal variances and six comparisons, in 4,000 draws: 80 %, within the binomial's 99.9 % interval."""
    seeds, level = seeds_needed(0.5, 0.1, 0.3, 6), 1 - 0.05 / 6
    first, second = rng.normal(7, 0.1**0.5, (4000, seeds)), rng.normal(7.5, 0.3**0.5, (4000, seeds))
    significant = stats.ttest_ind(first, second, axis=1, equal_var=False).pvalue < 1 - level
    assert significant.mean() == pytest.approx(0.8, abs=0.04)
    assert seeds_needed(0.001, 1, 1) is None


def test_the_variance_is_pooled_over_the_arms(rng):
    """The residual variance of a one-way analysis of variance; arms with a single run contribute nothing."""
    arms = [list(rng.normal(mean, 0.3, count)) for mean, count in ((7, 2), (9, 3), (20, 1))]
    residuals = np.concatenate([np.array(arm) - np.mean(arm) for arm in arms])
    variance, freedom = pooled_variance([*arms, []])
    assert (variance, freedom) == (pytest.approx(residuals @ residuals / 3), 3)
    assert pooled_variance([[7.0], [8.0]]) is None
    assert pooled_variance([[7.0, 7.0]]) is None
    assert pooled_variance([[12.3] * 3, [8.43] * 7]) is None  # whose means are rounded


def test_single_and_equal_runs_decide_nothing():
    assert "single run" in compare_unpaired([7.0], [6.0, 6.1])["words"]
    assert "no spread" in compare_unpaired([7.0, 7.0], [6.0, 6.0])["words"]
    assert not compare_unpaired([7.0], [6.0])["decides"]
    assert mean_std([7.0]) == (7.0, None)
    assert mean_std([6.0, 8.0]) == (7.0, pytest.approx(math.sqrt(2)))
