"""Trains a small RPN on one device or on two logical ones; saves its weights.

python train_on_devices.py one|mirrored CLASSIFIER PHOTOS OUT
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet.detection import open_coco
from keras_resnet.localization import LocalizationRPN, crop_batches, one_class
from keras_resnet.training import SGD, distribute

MODE, CLASSIFIER, PHOTOS, OUT = sys.argv[1:]
strategy = tf.distribute.get_strategy()
if MODE == "mirrored":
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
keras.utils.set_random_seed(0)
photos = one_class(open_coco(Path(PHOTOS) / "train.json", Path(PHOTOS) / "train"))
with strategy.scope():
    model = LocalizationRPN(keras_resnet.load_model(CLASSIFIER), photos.classes, 96)
    model.compile(SGD(0.01))
batches = distribute(strategy, lambda shard: crop_batches(photos, model.preprocessing, 4, 96, seed=1, shard=shard))
model.fit(batches, steps_per_epoch=6, shuffle=False, verbose=0)
results = {f"metric {name}": float(value) for name, value in model.get_metrics_result().items()}
for i, variable in enumerate(model.weights):
    results[f"weight {i} {variable.path}".replace("/", ">")] = variable.numpy()
np.savez(OUT, **results)
