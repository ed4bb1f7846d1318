"""Faults that strike programs while they run: kills, and clocks that go back."""

import itertools
import random

from hostile_clocks import clock_set_back
from hostile_kills import killed_run, killed_tool, network
from hostile_workdirs import photos
from watching import Case

PROMISE = "ends with one sentence if it can; the same command then gives what it gives undisturbed"


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases with different names, evenly from all kinds as long as they have more."""
    photos(), network()  # once, before the cases are forked
    draw, by_name, misses = random.Random(seed), {}, 0
    kinds = draw.sample(KINDS, len(KINDS))
    for kind in itertools.cycle(kinds):
        case = kind(draw)
        misses = misses + 1 if case.name in by_name else 0
        by_name.setdefault(case.name, case)
        if len(by_name) >= count or misses > 10 * len(kinds):
            return list(by_name.values())


KINDS = (killed_tool, killed_run, clock_set_back)
