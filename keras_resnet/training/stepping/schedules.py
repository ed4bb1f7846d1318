"""Learning rates as functions of the step and of the number of drops so far under the plateau schedule."""

import math
from collections.abc import Callable
from typing import Literal

from keras_resnet.specs import NetSpec
from keras_resnet.training.state import State

Schedule = Literal["steps", "plateau", "cosine"]
CIFAR_MILESTONES = (32_000 / 64_000, 48_000 / 64_000)  # Sec. 4.2
IMAGENET_MILESTONES = (30 / 90, 60 / 90, 80 / 90)  # in place of the plateaus of Sec. 3.4, as in the authors' later code
WARM_UP_DEPTH = 110  # Sec. 4.2: from this depth on, 0.1 is slightly too large to start with
WARM_UP_FACTOR = 0.1
WARM_UP_ERROR = 80.0  # percent of training error, below which the warm-up ends
PATIENCE, PROGRESS = 5, 0.1  # a plateau: so many validations without so many points less error
DROPS = 3  # the plateau after the third drop ends the run, as in Fig. 4


def schedule(
    kind: Schedule, base_lr: float, total_steps: int, milestones: tuple[float, ...] = (), warm_up_steps: int = 0
) -> Callable[[int, int], float]:
    """The learning rate as a function of (step, drops).

    Args:
        kind: ``"steps"`` divides ``base_lr`` by 10 at each milestone; ``"plateau"`` divides it by 10 for each drop;
            ``"cosine"`` takes it to zero at ``total_steps`` (Loshchilov and Hutter 2017).
        base_lr: the rate to start from.
        total_steps: length of the run.
        milestones: fractions of ``total_steps``.
        warm_up_steps: steps over which the rate first rises linearly.
    """

    def steps(step, drops):
        return base_lr * 0.1 ** sum(step >= round(m * total_steps) for m in milestones)

    def plateau(step, drops):
        return base_lr * 0.1**drops

    def cosine(step, drops):
        done = max(0, step - warm_up_steps) / max(1, total_steps - warm_up_steps)
        return base_lr * 0.5 * (1 + math.cos(math.pi * done))

    rate = {"steps": steps, "plateau": plateau, "cosine": cosine}[kind]

    def learning_rate(step: int, drops: int) -> float:
        return rate(step, drops) * min(1, (step + 1) / max(1, warm_up_steps))

    return learning_rate


def starts_low(spec: NetSpec) -> bool:
    """Whether a network starts at a tenth of the rate (Sec. 4.2): deep residual networks for CIFAR images do."""
    return spec.residual and spec.stem == "cifar" and spec.depth >= WARM_UP_DEPTH


def update_plateau(state: State, error: float) -> None:
    """Count a validation error: after ``PATIENCE`` without progress the rate drops or, finally, the run ends."""
    if error <= state.plateau_error - PROGRESS:
        state.plateau_error, state.plateau_epochs = error, 0
        return
    state.plateau_epochs += 1
    if state.plateau_epochs == PATIENCE:
        state.plateau_epochs = 0
        if state.drops == DROPS:
            state.finished = True
        else:
            state.drops += 1
