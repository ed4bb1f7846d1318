"""Faults that strike programs while they run: kills, lost workers, a full disk, folders that vanish, wrong clocks."""

import random

from hostile_clocks import clock_set_back, files_of_the_future
from hostile_kills import killed_run, killed_tool, network
from hostile_vanishing import vanished_folder
from hostile_workdirs import photos
from hostile_workers import first_worker_alone, killed_worker
from watching import Case, distinct

PROMISE = "ends with one sentence if it can; the same command then gives what it gives undisturbed"


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases with different names, evenly from all kinds as long as they have more."""
    photos(), network()  # once, before the cases are forked
    return distinct(KINDS, random.Random(seed), count)


KINDS = (
    killed_tool, killed_run, killed_worker, first_worker_alone, vanished_folder, files_of_the_future, clock_set_back,
)  # fmt: skip
