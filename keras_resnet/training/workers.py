"""What the workers of a run exchange besides gradients: numbers, and the failure of one of them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

SENTENCE_BYTES = 1000  # of an error that reach the other workers
LINGER = 4.0  # seconds
Value = TypeVar("Value")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this worker is the one that writes."""
    return worker_index(strategy) == 0


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """The index of this worker, from 0."""
    resolver = strategy.cluster_resolver
    return (resolver.task_id or 0) if resolver else 0


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """The number of workers."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().num_tasks("worker") if resolver and resolver.cluster_spec() else 1


def together(
    strategy: tf.distribute.Strategy,
    work: Callable[[], Value],
    failures: type[Exception] | tuple[type[Exception], ...] = Exception,
) -> Value:
    """Call ``work`` and return its result once it has succeeded on all workers, which must all call this in order.

    Args:
        strategy: the devices.
        work: what may fail on one worker alone.
        failures: the exceptions that the other workers learn of.

    Raises:
        InputError: ``work`` failed on another worker, with the message of the first one.
        Exception: whatever ``work`` raised, on the workers on which it failed.
    """
    if worker_count(strategy) == 1:
        return work()
    failure: Any = None
    try:
        value = work()
    except failures as error:
        if getattr(error, "known", False):  # all workers know of it already
            raise
        failure = error
    failed = np.zeros(worker_count(strategy), np.int64)
    failed[worker_index(strategy)] = failure is not None
    failed = total(strategy, failed)
    if not failed.any():
        return value
    first = int(failed.argmax())
    numbers = np.zeros(SENTENCE_BYTES, np.int64)
    if first == worker_index(strategy):
        encoded = str(failure).encode(errors="backslashreplace")[:SENTENCE_BYTES]
        numbers[: len(encoded)] = list(encoded)
    sentence = bytes(total(strategy, numbers).astype(np.uint8)).rstrip(b"\0").decode(errors="ignore")
    failure = failure or InputError(f"worker {first} failed: {sentence}")
    failure.known = True
    raise failure


def total(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """The sum of int64 ``values`` over all workers."""
    if worker_count(strategy) == 1:
        return values
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync // worker_count(strategy)  # each of them adds its worker's values
    return _summing(strategy)(tf.constant(values, tf.int64)).numpy() // replicas


def gathered(strategy: tf.distribute.Strategy, rows: np.ndarray) -> np.ndarray:
    """The float64 ``rows`` ``[n, width]`` of all workers, bit for bit, in the order of the workers; n may differ."""
    if worker_count(strategy) == 1:
        return rows
    counts = np.zeros(worker_count(strategy), np.int64)
    counts[worker_index(strategy)] = len(rows)
    ends = np.cumsum(total(strategy, counts))
    if not ends[-1]:
        return rows
    words = np.zeros(
        (ends[-1], 2 * rows.shape[1]), np.int64
    )  # halves of the float64 bits, so that sums over replicas fit
    end = ends[worker_index(strategy)]
    words[end - len(rows) : end] = np.ascontiguousarray(rows, np.float64).view(np.int32)
    return total(strategy, words.ravel()).astype(np.int32).view(np.float64).reshape(-1, rows.shape[1])


def agree(strategy: tf.distribute.Strategy, number: int, what: str) -> None:
    """Raise :class:`InputError` unless ``number`` is the same on all workers; ``what`` says what it is of."""
    numbers = np.zeros(worker_count(strategy), np.int64)
    numbers[worker_index(strategy)] = number
    if (total(strategy, numbers) != number).any():
        raise InputError(f"The workers differ in {what}: give them all the same --workdir on a shared disk.")


def linger(strategy: tf.distribute.Strategy) -> None:
    """Wait before this worker ends: the others may still be fetching its part of the last exchange."""
    if worker_count(strategy) > 1:
        time.sleep(LINGER)


@functools.cache
def _summing(strategy):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
    def summed(values):
        def on_replica():
            on_device = tf.identity(values)
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, on_device)

        return strategy.experimental_local_results(strategy.run(on_replica))[0]

    return summed
