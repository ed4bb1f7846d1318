"""Mapping a data set on all cores."""

import os
from collections.abc import Callable

import tensorflow as tf

CORES = os.cpu_count() or 1
AHEAD = 2  # batches prepared while a step runs


def parallel_map(dataset: tf.data.Dataset, function: Callable, calls: int = CORES) -> tf.data.Dataset:
    """``dataset.map(function)``, in order, with this many parallel calls, and without autotuning and AutoGraph.

    Dropping an iterator that tf.data autotunes waits for the tuner's next turn, after 10, 20, 40 ... ms and up to a
    minute: 3.1 s of batches took 5.1 s (TensorFlow 2.21).
    AutoGraph would rewrite every function that ``function`` calls, which takes seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.map(tf.autograph.experimental.do_not_convert(function), calls).with_options(options)
