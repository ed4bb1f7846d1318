"""Faults that strike programs while they run: kills, and clocks that go back."""

import random

from hostile_clocks import clock_set_back
from hostile_kills import killed_run, killed_tool, network
from hostile_workdirs import photos
from watching import Case, distinct

PROMISE = "ends with one sentence if it can; the same command then gives what it gives undisturbed"


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases with different names, evenly from all kinds as long as they have more."""
    photos(), network()  # once, before the cases are forked
    return distinct(KINDS, random.Random(seed), count)


KINDS = (killed_tool, killed_run, clock_set_back)
