"""The network that a run judges and keeps: the averaged weights, with statistics that belong to them."""

import contextlib
from collections.abc import Callable

from keras_resnet.training.stepping.step import Step


def settle(model: Step, recalibrate: Callable[[], None]) -> None:
    """Make ``model`` the network to judge: its weights their moving averages, if its optimizer keeps them.

    Then ``recalibrate`` gives normalization the statistics of these weights.
    """
    model.optimizer.finalize_variable_values(model.trainable_variables)
    recalibrate()


@contextlib.contextmanager
def settled(model: Step, recalibrate: Callable[[], None]):
    """While entered, ``model`` is as :func:`settle` makes it; then training goes on as if it had not been, bit for bit.

    Weights, statistics and the seeds of random layers come back; on several workers all must enter.
    """
    model.sync_batch_norm_statistics()
    kept = [(variable, variable.numpy()) for variable in model.variables]
    try:
        settle(model, recalibrate)
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)
