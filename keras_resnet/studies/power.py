"""How many seeds a study needs, judged by the spread of the runs that it has, and what they cost."""

import math

from keras_resnet.studies.statistics import RESOLVED, pooled_variance, seeds_needed
from keras_resnet.studies.study import Study


def plan(study: Study, found: dict[str, dict[int, dict]]) -> dict | None:
    """What it takes to tell two arms apart that differ by half a point, four times in five.

    Args:
        study: whose measure is compared.
        found: arm to seed to run, with its errors in percent and its ``seconds``.

    Returns:
        ``difference``, 0.5; ``std`` of a run about the mean of its arm, pooled over all arms, percentage points, with
        its degrees of ``freedom``; ``seeds`` an arm, None above 1,000; ``hours`` of all arms' runs, those done
        included, at the mean time of a run of each. None where no arm has two runs that differ.
    """
    arms = [list(runs.values()) for runs in found.values() if runs]
    pooled = pooled_variance([[run[study.measure] for run in runs] for runs in arms])
    if pooled is None:
        return None
    variance, freedom = pooled
    pairs = sum(1 for pair in study.pairs if all(found[name] for name in pair))
    seeds = seeds_needed(RESOLVED, variance, variance, max(1, pairs))
    one_of_each = sum(sum(run["seconds"] for run in runs) / len(runs) for runs in arms) / 3600
    return {
        "difference": RESOLVED,
        "std": math.sqrt(variance),
        "freedom": freedom,
        "seeds": seeds,
        "hours": seeds and seeds * one_of_each,
    }
