"""Contestants that take turns, so that changes in the machine's speed affect all of them, and benchmarks' flags."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from keras_resnet.bounds import Between
from keras_resnet.command_line import JsonFile
from keras_resnet.training.files.run_result import hardware, versions

Rounds = Annotated[int, Between(1, 100_000)]
Seconds = Annotated[float, Between(0, 100_000)]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """The flags of every benchmark."""

    json: JsonFile | None = None
    """A file for the tables and their provenance."""

    def run(self) -> None:
        """Print the hardware and versions, and measure."""
        print(f"{hardware()}; {', '.join(' '.join(item) for item in versions().items())}")
        self.measure()


def alternate(
    turns: dict[str, Callable], batch: int, rounds: int, seconds: float, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """The median images/s of each contestant, which take turns.

    Args:
        turns: for each contestant, a function that processes one batch.
        batch: images per batch.
        rounds: turns of each contestant.
        seconds: approximate length of a turn.
        clock: the clock, in seconds.
    """
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
