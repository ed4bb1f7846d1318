"""Learning rates as functions of the step and of how often the plateau schedule has dropped the rate."""

import math
from collections.abc import Callable

from keras_resnet.training.state import State

CIFAR_MILESTONES = (32_000 / 64_000, 48_000 / 64_000)  # Sec. 4.2
IMAGENET_MILESTONES = (30 / 90, 60 / 90, 80 / 90)  # for the plateaus of Sec. 3.4, as the authors' later code
WARM_UP_DEPTH = 110  # Sec. 4.2: from here on 0.1 is slightly too large to start with
WARM_UP_FACTOR = 0.1
WARM_UP_ERROR = 80.0
PATIENCE, PROGRESS = 5, 0.1  # a plateau: validations without this many points less error
DROPS = 3  # the plateau after the third drop ends the run, as Fig. 4's does


def schedule(
    kind: str, base_lr: float, total_steps: int, milestones: tuple[float, ...] = (), warm_up_steps: int = 0
) -> Callable[[int, int], float]:
    """A function of (step, drops).

    ``"steps"``: ``base_lr`` divided by 10 at each of ``milestones``, fractions of ``total_steps``. ``"plateau"``:
    divided by 10 for each drop. ``"cosine"``: to zero at ``total_steps`` (Loshchilov and Hutter 2017). The rate first
    rises linearly over ``warm_up_steps``.
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


def note_plateau(state: State, error: float) -> None:
    """Take note of a validation error: after ``PATIENCE`` without progress the rate drops, at last the run ends."""
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
