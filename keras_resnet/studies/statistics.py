"""Whether two sets of runs differ: Welch's test, its interval, and what a longer study would need."""

import math

import numpy as np

LEVEL = 0.95
MOST_SEEDS = 1000


def mean_std(values) -> tuple[float, float | None]:
    """Mean, and standard deviation of a sample; None for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def compare(first, second, comparisons: int = 1) -> dict:
    """Compare the errors ``first`` and ``second``, percent, one value a seed, by Welch's test (Welch 1947).

    Args:
        first, second: errors of the runs of two arms; the seeds need not be as many.
        comparisons: how many such intervals a study shows: each is wide enough that all hold at 95 % (Bonferroni).

    Returns:
        ``difference`` of the means, first less second; ``interval`` and ``p``, None where a variance is not known;
        ``decides``: the interval leaves zero out; ``words``.
    """
    from scipy import stats

    difference = float(np.mean(first) - np.mean(second))
    undecided = {"difference": difference, "interval": None, "p": None, "decides": False}
    if min(len(first), len(second)) < 2:
        return undecided | {"words": "cannot decide: a single run of an arm tells nothing about its spread"}
    if max(np.ptp(first), np.ptp(second)) < 1e-9:
        return undecided | {"words": "cannot decide: the runs of each arm are equal, so there is no spread to judge by"}
    level = 1 - (1 - LEVEL) / comparisons
    test = stats.ttest_ind(first, second, equal_var=False)
    low, high = (float(bound) for bound in test.confidence_interval(level))
    result = {
        "difference": difference,
        "interval": [low, high],
        "p": float(test.pvalue),
        "decides": low > 0 or high < 0,
    }
    if result["decides"]:
        return result | {"words": f"decides: {'higher' if difference > 0 else 'lower'} error"}
    needed = _seeds_needed(difference, first, second, level)
    how = f"about {needed} seeds" if needed else f"more than {MOST_SEEDS} seeds"
    return result | {"words": f"cannot decide; a difference of this size at this spread needs {how} an arm"}


def _seeds_needed(difference, first, second, level) -> int | None:
    """The smallest number of seeds an arm at which the same difference and spread would decide."""
    from scipy import stats

    variances = np.var(first, ddof=1), np.var(second, ddof=1)
    for seeds in range(2, MOST_SEEDS + 1):
        freedom = sum(variances) ** 2 * (seeds - 1) / sum(v**2 for v in variances)
        width = stats.t.ppf((1 + level) / 2, freedom) * math.sqrt(sum(variances) / seeds)
        if width < abs(difference):
            return seeds
    return None
