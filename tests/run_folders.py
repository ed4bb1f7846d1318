"""Folders as a run leaves them, without training."""

from types import SimpleNamespace

from keras_resnet.training import Experiment
from keras_resnet.training.state import State
from keras_resnet.training.workdir import Workdir

ROWS = [{"split": "train", "step": 5, "images": 20, "loss": 1.5}]
FULL = {"model": "ResNet20", "seed": 0, "batch_size": 4, "steps": 9, "base_lr": 0.1}


class NoVariables:
    """As a model of none, to save and restore."""

    bad_step = SimpleNamespace(assign=lambda value: None)

    def own_variables(self):
        return []

    def running_variables(self):
        return []


def run_of(path, settings=FULL, steps=(0, 5)):
    """A run as it leaves its folder."""
    workdir = Workdir(path, settings)
    workdir.restore_rows(0, Experiment.columns)
    for step in steps:
        if step:
            workdir.metrics.add({**ROWS[0], "step": step})
        workdir.save_checkpoint(NoVariables(), State(step=step))
    workdir.close()
    return path
