"""Trains with one thread and prints the share of time spent waiting for fast and for slow input."""

import json
import time

import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.training import SGD, TrainingModel

BATCH = (np.zeros((4, 32, 32, 3), np.float32), np.zeros(4, np.int32))


def share_waited(model: TrainingModel, data: tf.data.Dataset) -> tuple[float, float]:
    """The share of the time of five steps that was spent waiting, after a first step; and that time in seconds."""
    iterator = iter(data)
    model.train_function(iterator)
    model.reset_waited()
    start = time.perf_counter()
    for _ in range(5):
        model.train_function(iterator)
    seconds = time.perf_counter() - start
    return model.reset_waited() / seconds, seconds


if __name__ == "__main__":
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    model = TrainingModel(keras_resnet.ResNet20())
    model.compile(SGD(0.01))
    model.make_train_function()
    quick = tf.data.Dataset.from_tensors(BATCH).repeat()
    without_waiting, seconds = share_waited(model, quick)

    def late_batches():
        while True:
            time.sleep(seconds)  # five times as long as a step takes, however busy the machine is
            yield BATCH

    slow = tf.data.Dataset.from_generator(late_batches, output_signature=quick.element_spec)
    print(json.dumps({"quick": without_waiting, "slow": share_waited(model, slow)[0]}))
