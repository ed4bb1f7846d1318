"""The network that a run evaluates and saves: averaged weights, with the normalization statistics that fit them."""

import contextlib
from collections.abc import Callable, Iterator

from keras_resnet.training.stepping.step import Step


def finalize(model: Step, recalibrate: Callable[[], None]) -> None:
    """Replace the weights of ``model`` by their moving averages, if its optimizer keeps any, and recalibrate.

    ``recalibrate`` gives normalization the statistics of these weights.
    """
    model.optimizer.finalize_variable_values(model.trainable_variables)
    recalibrate()


@contextlib.contextmanager
def finalized(model: Step, recalibrate: Callable[[], None]) -> Iterator[None]:
    """Within this context ``model`` is as :func:`finalize` leaves it; afterwards training continues bit for bit.

    Weights, statistics and the seeds of random layers are restored. All workers must enter it together.
    """
    model.sync_batch_norm_statistics()
    saved = [(variable, variable.numpy()) for variable in model.variables]
    try:
        finalize(model, recalibrate)
        yield
    finally:
        for variable, value in saved:
            variable.assign(value)
