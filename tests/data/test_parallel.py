"""Mapping a data set on all cores."""

import subprocess
import sys

import pytest

ENDING = """
import time
import tensorflow as tf
from keras_resnet.data.parallel import parallel_map

def slow(number):
    time.sleep(0.2)
    return number

numbers = tf.data.Dataset.counter()
mapped = parallel_map(numbers, lambda number: tf.numpy_function(slow, [number], tf.int64))
iterator = iter(mapped.prefetch(9))
print(next(iterator).numpy())
"""


@pytest.mark.long
def test_a_program_ends_while_an_iterator_is_alive_whose_threads_call_python():
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
