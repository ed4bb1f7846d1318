"""Trains a small network that finds boxes on one device or on two logical ones; saves its weights.

python train_on_devices.py detector|pyramid|rpn|rcnn one|mirrored CLASSIFIER PHOTOS OUT
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet import localization
from keras_resnet.detection import (
    FasterRCNN,
    FinishedDetector,
    ImageSize,
    Proposals,
    RegionHead,
    detection_batches,
    open_coco,
)
from keras_resnet.training import SGD, distribute

NETWORK, MODE, CLASSIFIER, PHOTOS, OUT = sys.argv[1:]


def detector():
    parts = Proposals((2.0, 4.0), smallest=4.0), RegionHead(regions=8), ImageSize(96, 96)
    model = FasterRCNN(keras_resnet.load_model(CLASSIFIER), photos.classes, *parts)
    return model, lambda shard: detection_batches(photos, model.preprocessing, 4, model.image_size, seed=1, shard=shard)


def pyramid():
    parts = Proposals((1.0, 2.0, 4.0, 6.0, 8.0), smallest=4.0), RegionHead(regions=8), ImageSize(96, 96)
    network = keras_resnet.load_model(CLASSIFIER)
    model = FasterRCNN(network, photos.classes, *parts, head="fpn")
    FinishedDetector(FasterRCNN(network, photos.classes[:1], *parts, head="fpn"), ("classes",)).start(model)
    return model, lambda shard: detection_batches(photos, model.preprocessing, 4, model.image_size, seed=1, shard=shard)


def rpn():
    model = localization.LocalizationRPN(keras_resnet.load_model(CLASSIFIER), reduced.classes, 96)
    return model, lambda shard: localization.crop_batches(reduced, model.preprocessing, 4, 96, seed=1, shard=shard)


def rcnn():
    proposals = localization.extract(rpn()[0], reduced, Path(OUT).with_suffix(""), 8)()
    model = localization.LocalizationRCNN(keras_resnet.load_model(CLASSIFIER), reduced.classes, 64)
    return model, lambda shard: localization.region_batches(proposals, model.preprocessing, 4, 64, seed=1, shard=shard)


strategy = tf.distribute.get_strategy()
if MODE == "mirrored":
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
keras.utils.set_random_seed(0)
photos = open_coco(Path(PHOTOS) / "train.json", Path(PHOTOS) / "train")
reduced = localization.one_class(photos)
with strategy.scope():
    model, batches = {"detector": detector, "pyramid": pyramid, "rpn": rpn, "rcnn": rcnn}[NETWORK]()
    model.compile(SGD(0.01))
model.fit(distribute(strategy, batches), steps_per_epoch=6, shuffle=False, verbose=0)
results = {f"metric {name}": float(value) for name, value in model.get_metrics_result().items()}
for i, variable in enumerate(model.weights):
    results[f"weight {i} {variable.path}".replace("/", ">")] = variable.numpy()
np.savez(OUT, **results)
