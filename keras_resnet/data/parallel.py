"""Mapping a data set on all cores."""

import atexit
import functools
import gc
import os
from collections.abc import Callable

import tensorflow as tf

CORES = os.cpu_count() or 1
AHEAD = 2  # batches prepared while a step runs


def parallel_map(dataset: tf.data.Dataset, function: Callable, calls: int = CORES) -> tf.data.Dataset:
    """``dataset.map(function)``, in order, with this many parallel calls, and without autotuning and AutoGraph.

    Dropping an iterator that tf.data autotunes waits for the tuner's next turn, after 10, 20, 40 ... ms and up to a
    minute: 3.1 s of batches took 5.1 s (TensorFlow 2.21). AutoGraph would rewrite every function that ``function``
    calls, which takes seconds.
    """
    _release_iterators_at_exit()
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.map(tf.autograph.experimental.do_not_convert(function), calls).with_options(options)


@functools.cache
def _release_iterators_at_exit() -> None:
    """Register a function that deletes the remaining iterators when the program ends.

    Their threads may call Python to read a photo. Once the interpreter is being finalized, such a call never returns,
    and deleting the iterator, which waits for it, never ends.
    """

    @atexit.register
    def release() -> None:
        types = {kind for kind in set(map(type, gc.get_objects())) if issubclass(kind, tf.data.Iterator)}
        for iterator in [value for value in gc.get_objects() if type(value) in types]:
            vars(iterator).clear()
