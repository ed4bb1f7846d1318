"""Run folders as training would leave them, made without training."""

from types import SimpleNamespace

import numpy as np

from keras_resnet.training import Classification
from keras_resnet.training.files.workdir import Workdir
from keras_resnet.training.state import State

FULL = {"model": "ResNet20", "seed": 0, "batch_size": 4, "steps": 90, "base_lr": 0.1}


class Variable:
    """A variable of a model, on the host."""

    name, dtype, shape = "kernel", "float32", (3,)

    def __init__(self):
        self.value = np.zeros(3, np.float32)

    def numpy(self):
        return self.value

    def assign(self, value):
        self.value = value


class Model:
    """The part of a compiled model that is saved and restored."""

    bad_step = SimpleNamespace(assign=lambda value: None)

    def __init__(self):
        self.variable, self.metric = Variable(), Variable()

    def checkpoint_variables(self):
        return [self.variable]

    def metric_variables(self):
        return [self.metric]


def row(step: int) -> dict:
    """A training point, and at each tenth step a validation's."""
    return {"split": "train" if step % 10 else "validation", "step": step, "images": 4 * step, "loss": 1 / (1 + step)}


def go_on(workdir: Workdir, steps) -> tuple[int, list[dict], float]:
    """Continue a run to each of ``steps``; returns the step it was at, its rows and its variable's value."""
    model = Model()
    state, _ = workdir.restore(model) or (State(), {})
    workdir.restore_rows(state.step, Classification.metric_names)
    position = state.step, list(workdir.metrics.rows), float(model.variable.value[0])
    for step in steps:
        if step:
            workdir.add_row(row(step))
        model.variable.value = np.full(3, step, np.float32)
        workdir.save_checkpoint(model, State(step=step, validated=step))
    workdir.close()
    return position


def run_of(path, settings=FULL, steps=(0, 5)):
    """A run at the last of ``steps``."""
    go_on(Workdir(path, settings), steps)
    return path
