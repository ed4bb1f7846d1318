"""The loss around the weights, along random directions normalized by filter (Li et al. 2018)."""

from collections.abc import Sequence

import numpy as np

from keras_resnet.analysis.curvature import Loss
from keras_resnet.structure import weight_of


def filter_normalized(loss: Loss, seed: int = 0) -> np.ndarray:
    """A random direction ``[size]`` in which each filter has the norm of the network's filter; zero except for kernels.

    A filter computes one output channel; in a loop each block has its own filters.
    """
    rng = np.random.default_rng(seed)
    direction = []
    for variable, weight in zip(loss.variables, loss.tensors(loss.weights), strict=True):
        weight = weight.numpy()
        if weight_of(variable.name) != "kernel":
            direction.append(np.zeros(weight.size))
            continue
        draw = rng.normal(size=weight.shape)
        axes = tuple(range(weight.ndim - 4 if weight.ndim > 4 else 0, weight.ndim - 1))  # without a stack's first axis
        drawn_norm, norm = (np.sqrt(np.sum(array**2, axis=axes, keepdims=True)) for array in (draw, weight))
        direction.append((draw * norm / drawn_norm).ravel())
    return np.concatenate(direction)


def surface(loss: Loss, distances: Sequence[float] | np.ndarray, directions: int = 2, seed: int = 0) -> np.ndarray:
    """The loss at the weights plus ``distances`` times one or two filter-normalized directions.

    Args:
        loss: the loss, which also decides how batch normalization is computed.
        distances: ``[n]``, in units of each filter's norm.
        directions: 1 or 2.
        seed: of the directions.

    Returns:
        ``[n]``, or ``[n, n]`` with the first direction along the first axis.
    """
    first = filter_normalized(loss, seed)
    if directions == 1:
        return np.array([loss.value(loss.weights + a * first) for a in distances])
    second = filter_normalized(loss, seed + 1)
    return np.array([[loss.value(loss.weights + a * first + b * second) for b in distances] for a in distances])
