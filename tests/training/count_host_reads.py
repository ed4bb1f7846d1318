"""Trains on two logical devices and prints how often the host waited for a device in each of 100 steps.

It also prints the modules into which AutoGraph has rewritten functions.

python count_host_reads.py WORKDIR
"""

import json
import sys

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from keras_resnet import data, training
from keras_resnet.training import callbacks, running
from keras_resnet.weights import Preprocessing

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
running.choose_strategy = lambda: strategy
reads: list[int] = []
read, begin = ops._EagerTensorBase._numpy, callbacks.LearningRate.on_train_batch_begin


def counted_read(tensor):
    if reads:
        reads[-1] += 1
    return read(tensor)


def counted_begin(self, batch, logs=None):
    begin(self, batch, logs)
    reads.append(0)


ops._EagerTensorBase._numpy, callbacks.LearningRate.on_train_batch_begin = counted_read, counted_begin
rng = np.random.default_rng(0)
split = data.ArraySplit("train", rng.integers(0, 256, (1600, 8, 8, 3)).astype(np.uint8), np.arange(1600) % 4)
preprocessing = Preprocessing(np.full(3, 127.0), std=(64, 64, 64))
settings = training.Settings(
    model="ResNet20", change=("blocks=[1]", "filters=[8]"), batch_size=4, image_size=8, base_lr=0.1, steps=101,
    schedule="cosine", workdir=sys.argv[1],
)  # fmt: skip
task = training.Classification(
    settings=settings,
    classes=tuple("abcd"),
    train=split,
    validation=split,
    test=None,
    preprocessing=preprocessing,
    train_batches=lambda start, shard: data.cifar_batches(split, preprocessing, 4, 0, start, shard),
    test_batches=lambda part, shard: data.cifar_batches(part, preprocessing, 4, shard=shard),
    reference_batch=128,
    milestones=(),
)
training.run(settings, lambda _: task)
rewritten = [name for name in sys.modules if name.startswith("__autograph_generated_file")]
print(json.dumps({"reads": reads[:100], "rewritten": rewritten}))
