"""What the workers of a run tell each other besides gradients: numbers, and a failure of one of them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

SENTENCE_BYTES = 1000  # that reach the other workers
LINGER = 4.0  # seconds
Value = TypeVar("Value")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this worker is the one that writes."""
    return number_of(strategy) == 0


def number_of(strategy: tf.distribute.Strategy) -> int:
    """The number of this worker, from 0 on."""
    resolver = strategy.cluster_resolver
    return (resolver.task_id or 0) if resolver else 0


def count_of(strategy: tf.distribute.Strategy) -> int:
    """How many workers there are."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().num_tasks("worker") if resolver and resolver.cluster_spec() else 1


def together(strategy: tf.distribute.Strategy, work: Callable[[], Value], failures=Exception) -> Value:
    """What ``work()`` gives on this worker, once it is done on all of them: all must call it, in the same order.

    ``failures`` are the exceptions that the others learn of.

    Raises:
        InputError: with the sentence of the first worker on which it failed, on those on which it did not.
        Exception: what ``work`` raised, on those on which it failed.
    """
    if count_of(strategy) == 1:
        return work()
    failure: Any = None
    try:
        value = work()
    except failures as error:
        if getattr(error, "known", False):  # of all workers already
            raise
        failure = error
    failed = np.zeros(count_of(strategy), np.int64)
    failed[number_of(strategy)] = failure is not None
    failed = total(strategy, failed)
    if not failed.any():
        return value
    first = int(failed.argmax())
    numbers = np.zeros(SENTENCE_BYTES, np.int64)
    if first == number_of(strategy):
        encoded = str(failure).encode()[:SENTENCE_BYTES]
        numbers[: len(encoded)] = list(encoded)
    sentence = bytes(total(strategy, numbers).astype(np.uint8)).rstrip(b"\0").decode(errors="ignore")
    failure = failure or InputError(f"worker {first} failed: {sentence}")
    failure.known = True
    raise failure


def total(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """The sum of int64 ``values`` over all workers."""
    if count_of(strategy) == 1:
        return values
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync // count_of(strategy)  # each of them adds its worker's values
    return _summing(strategy)(tf.constant(values, tf.int64)).numpy() // replicas


def gathered(strategy: tf.distribute.Strategy, rows: np.ndarray) -> np.ndarray:
    """The float64 ``rows`` ``[n, width]`` of all workers, bit for bit, those of worker 0 first; n may differ."""
    if count_of(strategy) == 1:
        return rows
    counts = np.zeros(count_of(strategy), np.int64)
    counts[number_of(strategy)] = len(rows)
    ends = np.cumsum(total(strategy, counts))
    if not ends[-1]:
        return rows
    words = np.zeros((ends[-1], 2 * rows.shape[1]), np.int64)  # halves of numbers, whose sums over replicas fit
    end = ends[number_of(strategy)]
    words[end - len(rows) : end] = np.ascontiguousarray(rows, np.float64).view(np.int32)
    return total(strategy, words.ravel()).astype(np.int32).view(np.float64).reshape(-1, rows.shape[1])


def agree(strategy: tf.distribute.Strategy, number: int, what: str) -> None:
    """Raise :class:`InputError` unless all workers have the same ``number``, as of the checkpoint they found."""
    numbers = np.zeros(count_of(strategy), np.int64)
    numbers[number_of(strategy)] = number
    if (total(strategy, numbers) != number).any():
        raise InputError(f"The workers differ in {what}: give them all the same --workdir on a shared disk.")


def linger(strategy: tf.distribute.Strategy) -> None:
    """Before this worker ends: the others may still be fetching its part of what was exchanged last."""
    if count_of(strategy) > 1:
        time.sleep(LINGER)


@functools.cache
def _summing(strategy):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def summed(values):
        def on_replica():
            own = tf.identity(values)  # on the replica's device
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)

        return strategy.experimental_local_results(strategy.run(on_replica))[0]

    return summed
