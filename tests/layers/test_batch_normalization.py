"""The fused layer against Keras' own: outputs, gradients, moving statistics; and where it steps aside."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import bfloat16_kernels

from keras_resnet.layers import BatchNormalization


def pair(shape, rng, **options):
    """A fused and a stock layer with the same random weights."""
    layers = [
        cls(momentum=0.9, epsilon=1e-5, **options) for cls in (BatchNormalization, keras.layers.BatchNormalization)
    ]
    layers[0].build(shape)
    layers[1].build(shape)
    weights = [rng.uniform(0.5, 1.5, v.shape) for v in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def compare(layers, x, training, atol=1e-5, **call):
    results = []
    for layer in layers:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=training, **call)
            loss = tf.reduce_sum(tf.cast(y, "float32") ** 3) / y.shape.num_elements()
        gradients = tape.gradient(loss, [x, *[v.value for v in layer.trainable_weights]])
        results.append([y, *gradients, *layer.get_weights()])
    for fused, stock in zip(*results, strict=True):
        np.testing.assert_allclose(np.asarray(fused, "float32"), np.asarray(stock, "float32"), atol=atol, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(8, 5, 6, 4), (2, 1, 1, 3), (1, 2, 1, 3), (1, 1, 3, 2), (2, 16, 16, 1)])
def test_equals_the_stock_layer(shape, training, rng):
    # Well spread values: the gradient over two almost equal ones is all cancellation, in either layer.
    x = rng.permutation(np.linspace(-2, 4, int(np.prod(shape)))).reshape(shape)
    compare(pair(shape, rng), tf.constant(x, tf.float32), training)


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_without_scale_or_offset(options, rng):
    shape = (4, 3, 3, 2)
    compare(pair(shape, rng, **options), tf.constant(rng.normal(size=shape), tf.float32), True)


def test_frozen_layer_uses_and_keeps_moving_statistics(rng):
    layers = pair((4, 3, 3, 2), rng)
    for layer in layers:
        layer.trainable = False
    before = layers[0].get_weights()
    compare(layers, tf.constant(rng.normal(size=(4, 3, 3, 2)), tf.float32), True)
    np.testing.assert_array_equal(before[-1], layers[0].get_weights()[-1])


def test_one_value_per_channel_trains_like_the_stock_layer(rng):
    """n = 1: the op's n / (n - 1) must not reach the moving variance."""
    for shape in ((1, 1, 1, 3), (1, 1, None, 3)):
        layers = pair(shape, rng)
        compare(layers, tf.constant(rng.normal(size=(1, 1, 1, 3)), tf.float32), True)
        assert np.isfinite(layers[0].get_weights()[-1]).all()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"axis": 1}, (4, 3, 5, 6)),
        ({}, (8, 3)),
        ({}, (4, 6, 3)),
        ({}, (2, 3, 3, 3, 2)),
        ({"renorm": True}, (4, 3, 3, 2)),
    ],
)
def test_other_cases_take_the_stock_path(options, shape, rng):
    layers = pair(shape, rng, **options)
    x = tf.constant(rng.normal(size=shape), tf.float32)
    assert not layers[0].fusible(x)
    compare(layers, x, True, atol=1e-6)


def test_masks_take_the_stock_path(rng):
    x = tf.constant(rng.normal(size=(4, 3, 3, 2)), tf.float32)
    compare(pair((4, 3, 3, 2), rng), x, True, mask=tf.constant(rng.integers(0, 2, (4, 3, 3)), tf.bool))


@pytest.mark.parametrize("dtype", [pytest.param("bfloat16", marks=bfloat16_kernels), "float16"])
def test_mixed_precision_statistics_are_float32(dtype, rng):
    """Against the float32 layer on the same rounded input: only the output is rounded."""
    shape = (8, 6, 6, 4)
    x = tf.cast(tf.constant(rng.normal(100, 1, shape), tf.float32), dtype)
    layers = [BatchNormalization(dtype=f"mixed_{dtype}"), keras.layers.BatchNormalization(dtype="float32")]
    fused, stock = layers[0](x, training=True), layers[1](tf.cast(x, "float32"), training=True)
    assert fused.dtype == dtype
    np.testing.assert_allclose(tf.cast(fused, "float32"), stock, atol=0.02)
    for a, b in zip(layers[0].get_weights(), layers[1].get_weights(), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_float64_takes_the_stock_path(rng):
    layer = BatchNormalization(dtype="float64")
    assert layer(rng.normal(size=(2, 3, 3, 2)), training=True).dtype == "float64"


def test_fused_op_is_in_the_graph_and_second_derivatives_exist(rng):
    layer = BatchNormalization()
    layer.build((None, 4, 4, 3))
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(tf.TensorSpec((None, 4, 4, 3))).graph
    assert "FusedBatchNormV3" in {op.type for op in graph.get_operations()}
    x = tf.constant(rng.normal(size=(4, 4, 4, 3)), tf.float32)
    with tf.GradientTape() as second_order:
        second_order.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 4)
        gradient = inner.gradient(loss, x)
    assert np.isfinite(second_order.gradient(gradient, x)).all()
