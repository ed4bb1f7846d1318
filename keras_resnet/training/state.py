"""Where a run is, and what happens after which step."""

from dataclasses import dataclass, fields
from typing import Any

VOTE = 10  # steps between reads of the devices' votes to stop: each read waits for the devices
WINDOW = 50  # the most steps averaged in one point of the training curves


@dataclass
class State:
    """Where a run is; saved with every checkpoint.

    Fields:
        step: steps done.
        skipped: batches left out before this step because a loss or gradient was not finite.
        validated: the step of the last validation.
        warm_up_end: the step at which the warm-up of Sec. 4.2 ended, None before; 0 in a run without one.
        best_error: the best validation error so far, in percent.
        best_step: the step after which it was reached first.
        plateau_error: the last validation error that the plateau schedule counted as progress.
        plateau_epochs: validations since then.
        drops: how often the plateau schedule has divided the rate by ten.
        finished: the plateau schedule or early stopping has ended the run.
        seconds: time spent so far, in all processes of the run.
    """

    step: int = 0
    skipped: int = 0
    validated: int = 0
    warm_up_end: int | None = 0
    best_error: float = float("inf")
    best_step: int = 0
    plateau_error: float = float("inf")
    plateau_epochs: int = 0
    drops: int = 0
    finished: bool = False
    seconds: float = 0.0


def check_state(values: dict[str, Any]) -> None:
    """Raise ValueError unless ``values`` are fields of a :class:`State` with the right types."""
    known: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float)}
    types = {field.name: known[type(field.default)] for field in fields(State)}
    for name, value in values.items():
        kind = types.get(name, ())
        valid = isinstance(value, kind) and (kind == (bool,)) == isinstance(value, bool) and value >= 0  # type: ignore
        if not (valid and (isinstance(value, float) or value < 2**63)) and (name, value) != ("warm_up_end", None):
            raise ValueError(f"its state has {name} {value!r:.100}")


@dataclass(frozen=True)
class Calendar:
    """What happens after which step, as a function of the step alone, so that a continued run does the same.

    Fields:
        epoch_steps: steps from one validation to the next.
        total_steps: length of the run.
        save_every: steps between checkpoints.
        keep_every: steps between checkpoints that are never removed; None for none.
    """

    epoch_steps: int
    total_steps: int
    save_every: int
    keep_every: int | None = None

    def ends_epoch(self, step: int) -> bool:
        return step % self.epoch_steps == 0 or step == self.total_steps

    def epochs_since(self, earlier: int, step: int) -> int:
        """The epochs that ended after the step ``earlier``, up to ``step``."""
        return -(-step // self.epoch_steps) - -(-earlier // self.epoch_steps)

    def ends_window(self, step: int) -> bool:
        return step % self.epoch_steps % WINDOW == 0 or self.ends_epoch(step)

    def counts_votes(self, step: int) -> bool:
        return step % VOTE == 0 or self.saves(step)

    def saves(self, step: int) -> bool:
        kept = self.keep_every is not None and step % self.keep_every == 0
        return step % self.save_every == 0 or kept or self.ends_epoch(step)
