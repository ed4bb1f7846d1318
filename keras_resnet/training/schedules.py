"""Learning rates as functions of the step."""

from collections.abc import Callable

CIFAR_MILESTONES = (32_000 / 64_000, 48_000 / 64_000)  # Sec. 4.2
IMAGENET_MILESTONES = (30 / 90, 60 / 90, 80 / 90)  # for the plateaus of Sec. 3.4, as the authors' later code
WARM_UP_DEPTH = 110  # Sec. 4.2: from here on 0.1 is slightly too large to start with
WARM_UP_FACTOR = 0.1
WARM_UP_ERROR = 80.0


def step_schedule(base_lr: float, total_steps: int, milestones: tuple[float, ...]) -> Callable[[int], float]:
    """``base_lr`` divided by 10 at each of ``milestones``, fractions of ``total_steps``; a function of the step."""

    def learning_rate(step: int) -> float:
        return base_lr * 0.1 ** sum(step >= round(m * total_steps) for m in milestones)

    return learning_rate
