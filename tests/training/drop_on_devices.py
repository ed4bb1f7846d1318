"""Prints, for each way to build a network with dropout and stochastic depth, whether two devices drop the same.

Both get the same images, so that only what is dropped can make their outputs differ; and whether the same seeds give
the same again.
"""

import json

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.training import SGD, TrainingModel
from keras_resnet.training.files.checkpoints import assign_values, values_of

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
IMAGES = tf.random.stateless_normal([4, 8, 8, 3], [0, 0])
NETWORKS = {
    "dropout": {"dropout": 0.5},
    "stochastic depth": {"stochastic_depth": 0.5},
    "loops": {"dropout": 0.5, "stochastic_depth": 0.5, "unroll": False},
}


def outputs_of(change):
    """The logits on both devices, those again after the seeds were restored, and those of the next step."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        network = keras_resnet.ResNet20(blocks=(2,), filters=(8,), input_shape=(8, 8, 3), classes=3, **change)
        model = TrainingModel(network)
        model.compile(SGD())

    @tf.function(autograph=False)
    def step():
        return strategy.run(lambda: model(IMAGES, training=True))

    def logits():
        return [value.numpy() for value in strategy.experimental_local_results(step())]

    before = values_of(model.checkpoint_variables())
    first = logits()
    assign_values(model.checkpoint_variables(), before)
    return first, logits(), logits()


for name, change in NETWORKS.items():
    first, again, following = outputs_of(change)
    same = [np.array_equal(*first), np.array_equal(first, again), np.array_equal(again, following)]
    print(json.dumps({name: same}))
