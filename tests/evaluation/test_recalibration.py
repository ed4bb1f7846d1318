"""Statistics over several batches as one large one."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import bfloat16_kernels
from programs import run

import keras_resnet
from keras_resnet.evaluation import recalibrate_batch_norm
from keras_resnet.layers import BatchNormalization
from keras_resnet.weights import named_arrays


@pytest.mark.long
def test_the_first_normalization_gets_the_moments_of_all_images(rng):
    """Of the first layer, whose inputs do not depend on the batch, against NumPy over all batches at once."""
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    images = rng.normal(size=(24, 32, 32, 3)).astype("float32")
    before = named_arrays(model)
    batches = tf.data.Dataset.from_tensor_slices((images, np.zeros(24))).batch(8)
    assert recalibrate_batch_norm(model, batches) == 3
    maps = model.get_layer("conv1_conv")(images).numpy()
    layer = model.get_layer("conv1_bn")
    np.testing.assert_allclose(layer.moving_mean.numpy(), maps.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), maps.var((0, 1, 2)), rtol=1e-4)
    assert layer.momentum == pytest.approx(0.9)
    for name, value in named_arrays(model).items():
        if "moving" not in name:
            np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.long
def test_loops_equal_the_unrolled_network(rng):
    unrolled = keras_resnet.ResNet20(blocks=(3, 2), filters=(16, 32))
    looped = keras_resnet.models.convert(unrolled, unroll=False)
    images = rng.normal(size=(8, 32, 32, 3)).astype("float32")
    for model in (unrolled, looped):
        recalibrate_batch_norm(model, [(images,), (images[::-1] * 1.5,)])
    arrays = named_arrays(looped)
    for name, value in named_arrays(unrolled).items():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.long
def test_one_batch_makes_testing_equal_to_training(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classifier_activation=None)
    images = tf.constant(rng.normal(size=(16, 32, 32, 3)), tf.float32)
    recalibrate_batch_norm(model, [(images,)])
    np.testing.assert_allclose(model(images, training=False), model(images, training=True), rtol=1e-2, atol=1e-2)


@pytest.mark.long
def test_a_batch_that_is_not_finite_is_left_out_unless_all_are(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), filters=(4, 8, 8), input_shape=(8, 8, 3))
    good = [(rng.normal(size=(4, 8, 8, 3)).astype("float32"),) for _ in range(2)]
    bad = (np.where(np.arange(4)[:, None, None, None] == 1, np.nan, good[0][0]),)
    recalibrate_batch_norm(model, good)
    expected = named_arrays(model)
    recalibrate_batch_norm(model, [good[0], bad, good[1]])
    for name, value in named_arrays(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-7, err_msg=name)
    recalibrate_batch_norm(model, [bad, bad])  # as of a network whose weights have overflowed
    assert not any(np.isfinite(value).any() for name, value in named_arrays(model).items() if "moving" in name)


@pytest.mark.parametrize("layer", [BatchNormalization, keras.layers.BatchNormalization])
@pytest.mark.parametrize("precision", ["float32", pytest.param("mixed_bfloat16", marks=bfloat16_kernels)])
def test_a_large_mean_does_not_hide_a_small_variance(layer, precision, rng):
    """Mean 300, variance 1e-3, in batches of different size and mean, against NumPy in float64 over all of them.

    Of the numbers that the layer gets: in bfloat16 they are 300, 302 or 304.
    """
    keras.config.set_dtype_policy(precision)
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, layer(name="norm")(inputs))
    spread = np.sqrt(1e-3) if precision == "float32" else 1.5
    batches = [
        rng.normal(300 + spread * i, spread, (size, 8, 8, 3)).astype("float32") for i, size in enumerate((4, 9, 1))
    ]
    assert recalibrate_batch_norm(model, [(batch,) for batch in batches]) == 3
    values = tf.cast(tf.cast(np.concatenate(batches), model.compute_dtype), tf.float64).numpy()
    norm = model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.numpy(), values.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(norm.moving_variance.numpy(), values.var((0, 1, 2)), rtol=2e-3)


def test_channels_that_never_change_have_no_variance():
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, BatchNormalization(name="norm")(inputs))
    recalibrate_batch_norm(model, [(np.full((2, 4, 4, 2), 300.1, "float32"),)] * 3)
    assert (model.get_layer("norm").moving_variance.numpy() >= 0).all()
    assert model.get_layer("norm").moving_variance.numpy().max() < 1e-8


DEVICES = """
import json, keras, numpy as np, tensorflow as tf
from keras_resnet.evaluation import recalibrate_batch_norm
from keras_resnet.layers import BatchNormalization
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
images = np.random.default_rng(0).normal(300, 0.03, (11, 4, 4, 2)).astype("float32")
with strategy.scope():
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, BatchNormalization(name="norm")(inputs))
shares = tf.data.Dataset.from_generator(lambda: iter([(images[:5],), (images[5:6],), (images[6:9],), (images[9:],)]),
                                        output_signature=(tf.TensorSpec([None, 4, 4, 2]),))
recalibrate_batch_norm(model, strategy.distribute_datasets_from_function(lambda context: shares), strategy)
norm = model.get_layer("norm")
print(json.dumps([norm.moving_mean.numpy().tolist(), norm.moving_variance.numpy().tolist(), images.tolist()]))
"""


@pytest.mark.long
def test_replicas_count_by_their_examples(tmp_path):
    """Two replicas with 5 and 1, then 3 and 2 images: moments of all eleven."""
    (tmp_path / "devices.py").write_text(DEVICES)
    completed = run(tmp_path / "devices.py")
    assert completed.returncode == 0, completed.stderr[-3000:]
    mean, variance, images = map(np.array, json.loads(completed.stdout.splitlines()[-1]))
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, images.var((0, 1, 2)), rtol=2e-3)
