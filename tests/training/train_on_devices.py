"""Trains a small net on one device, on two logical ones, or as one of several workers; saves weights and metrics.

python train_on_devices.py MODE NET OUT

MODE is one, mirrored or worker; NET plain, ragged, accumulated, float16, overflow, sync_bn, own_bn or resnet.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import keras_resnet
from keras_resnet import data
from keras_resnet.evaluation import evaluate, recalibrate_batch_norm
from keras_resnet.network import Network
from keras_resnet.training import SGD, TrainingModel, choose_strategy, distribute
from keras_resnet.training.files.checkpoints import values_of
from keras_resnet.training.final_answers import answer_all
from keras_resnet.training.final_weights import finalize, finalized
from keras_resnet.training.stepping.training_model import synchronize_batch_norm
from keras_resnet.training.workers import linger, worker_index
from keras_resnet.weights import Preprocessing

MODE, NET, OUT = sys.argv[1:]
if MODE == "mirrored":
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
else:
    strategy = choose_strategy()

RESIDUAL = ("sync_bn", "own_bn")  # own_bn is the control, where each device normalizes its own share
BATCH, SIZE, CLASSES = (32, 32, 4) if NET in RESIDUAL else (16, 16, 4)
FIRST_SCALE = {"float16": 2.0**10, "overflow": 2.0**30}  # loss scale; the second one overflows float16
STEPS = 6 if NET in RESIDUAL else 20


def plain_net():
    """Convolutions without normalization."""
    x = inputs = keras.Input((SIZE, SIZE, 3))
    for i, stride in enumerate((1, 2), start=1):
        x = keras.layers.Conv2D(8, 3, stride, padding="same", activation="relu", name=f"conv{i}_conv")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(CLASSES, activation="softmax", dtype="float32", name="predictions")(x)
    return Network(inputs, x)


keras.utils.set_random_seed(0)
if NET in FIRST_SCALE:
    keras.config.set_dtype_policy("mixed_float16")
rng = np.random.default_rng(0)
labels = rng.integers(0, CLASSES, 203).astype(np.int32)
images = (rng.integers(0, 128, (203, SIZE, SIZE, 3)) + 30 * labels[:, None, None, None]).astype(np.uint8)
split = data.ArraySplit("train", images, labels)
preprocessing = Preprocessing(np.full(3, 127.0), std=(64, 64, 64))
with strategy.scope():
    if NET in (*RESIDUAL, "resnet"):
        network = keras_resnet.ResNet20(blocks=(1, 1, 1), input_shape=(SIZE, SIZE, 3), classes=CLASSES)
        if NET == "sync_bn":
            synchronize_batch_norm(network)
    else:
        network = plain_net()
    model = TrainingModel(network)
    optimizer = SGD(0.005 if NET in RESIDUAL else 0.05, l2=1e-2)  # larger rates amplify rounding fivefold per step
    if NET in FIRST_SCALE:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, FIRST_SCALE[NET])
    model.compile(optimizer, accumulate=3 if NET == "accumulated" else 1)


def batches(shard, start=0):
    return data.cifar_batches(split, preprocessing, BATCH, 1, start, shard)


def ragged_batches(shard):
    """Every fourth batch has 5 examples, which two devices cannot share equally."""

    def shares():
        for step in range(STEPS):
            positions = (np.arange(5 if step % 4 == 3 else BATCH) + step * BATCH) % len(labels)
            for share in np.array_split(positions, shard.replicas)[shard.index :: shard.workers]:
                yield images[share].astype(np.float32) / 64 - 2, labels[share]

    kind = (tf.TensorSpec([None, SIZE, SIZE, 3], tf.float32), tf.TensorSpec([None], tf.int32))
    return tf.data.Dataset.from_generator(shares, output_signature=kind)


source = ragged_batches if NET == "ragged" else batches
model.fit(distribute(strategy, source), steps_per_epoch=STEPS, shuffle=False, verbose=0)
results = {f"metric {name}": float(value) for name, value in model.get_metrics_result().items()}
model.sync_batch_norm_statistics()
if NET == "resnet":

    def recalibrate():
        recalibrate_batch_norm(network, distribute(strategy, lambda shard: batches(shard, 40).take(3)), strategy)

    before = values_of(model.checkpoint_variables())
    with finalized(model, recalibrate):
        evaluated = values_of(model.variables)
    for name, value in values_of(model.checkpoint_variables()).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)  # evaluation leaves training unchanged
    finalize(model, recalibrate)
    for name, value in values_of(model.variables).items():
        np.testing.assert_array_equal(value, evaluated[name], err_msg=name)  # those that were evaluated
tested = distribute(strategy, lambda shard: data.cifar_batches(split, preprocessing, BATCH, shard=shard))
results |= {f"test {name}": value for name, value in evaluate(model, tested, CLASSES).items()}
if worker_index(strategy) == 0:  # at the end of a run the first worker computes the answers alone
    _, answers, _ = answer_all(model, data.cifar_batches(split, preprocessing, BATCH))
    np.testing.assert_allclose(answers.error().percent, results["test error"], rtol=1e-5)
if NET in FIRST_SCALE:
    results["scale"] = model.optimizer.dynamic_scale.numpy()
results["worst losses"] = model.mistakes.values(model.local)[3]
for i, variable in enumerate(network.weights):
    results[f"weight {i} {variable.path}".replace("/", ">")] = variable.numpy()
    if MODE == "mirrored":
        first, second = (value.numpy() for value in strategy.experimental_local_results(variable.value))
        np.testing.assert_array_equal(first, second, err_msg=variable.path)
np.savez(f"{OUT}-{worker_index(strategy)}.npz", **results)
linger(strategy)
