"""How many seeds a study needs, estimated from the spread of its runs so far, and how long they take."""

import math

from keras_resnet.studies.statistics import RESOLVED, pooled_variance, seeds_needed
from keras_resnet.studies.study import Study


def plan(study: Study, runs_by_arm: dict[str, dict[int, dict]]) -> dict | None:
    """The seeds and hours needed to detect a difference of half a point between two arms with a power of 80 %.

    Args:
        study: gives the measure that is compared.
        runs_by_arm: the runs by arm and seed, with their errors in percent and their ``seconds``.

    Returns:
        ``difference``, 0.5 percentage points; ``std``, the standard deviation of a run about the mean of its arm,
        pooled over the arms that can be compared with another one, or over all if none can, and its degrees of
        ``freedom``; ``seeds`` per arm, None above 1,000; ``hours`` for the runs of these arms, including finished ones,
        at the mean time of each arm. None if no arm has two different runs.
    """
    pairs = [pair for pair in study.pairs if all(runs_by_arm[name] for name in pair)]
    names = {name for pair in pairs for name in pair} or runs_by_arm.keys()
    arms = [list(runs.values()) for name, runs in runs_by_arm.items() if runs and name in names]
    pooled = pooled_variance([[run[study.measure] for run in runs] for runs in arms])
    if pooled is None:
        return None
    variance, freedom = pooled
    seeds = seeds_needed(RESOLVED, variance, variance, max(1, len(pairs)))
    hours_per_seed = sum(sum(run["seconds"] for run in runs) / len(runs) for runs in arms) / 3600
    return {
        "difference": RESOLVED,
        "std": math.sqrt(variance),
        "freedom": freedom,
        "seeds": seeds,
        "hours": seeds and seeds * hours_per_seed,
    }
