"""Contestants in turns, so that the machine's moods meet all alike, and the flag of every benchmark."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What every benchmark takes."""

    json: Path | None = None
    """Write the tables, and how they came about, into this file too."""


def alternate(
    turns: dict[str, Callable], batch: int, rounds: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Median images/s of each contestant, taken in turns so that the machine's moods meet all alike."""
    counts = {}
    for name, turn in turns.items():
        for _ in range(2):
            turn()
        start = clock()
        turn()
        counts[name] = max(1, round(seconds / (clock() - start)))
    rates = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            start = clock()
            for _ in range(counts[name]):
                turn()
            rates[name].append(batch * counts[name] / (clock() - start))
    return {name: float(np.median(values)) for name, values in rates.items()}
