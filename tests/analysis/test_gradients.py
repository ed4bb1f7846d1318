"""Gradient norms against TensorFlow's gradients for single batches, and the callback in ``fit``."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_networks import batch, tiny

import keras_resnet
from keras_resnet import analysis
from keras_resnet.training import SGD, TrainingModel


@pytest.mark.long
def test_norms_by_layer_batch_and_stage(rng):
    model = tiny(rng)
    images, labels = batch(rng, model, 6)
    by_weight = {e.weight: e for e in analysis.gradient_norms(analysis.Loss(model, images, labels, batch_size=4))}
    for number, part in enumerate((slice(0, 4), slice(4, 6))):
        with tf.GradientTape() as tape:
            scores = model(images[part], training=False)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels[part], scores))
        for variable, gradient in zip(
            model.trainable_variables,
            tape.gradient(loss, [v.value for v in model.trainable_variables]),
            strict=True,
        ):
            assert by_weight[variable.path].norms[number] == pytest.approx(float(tf.norm(gradient)), rel=1e-3, abs=1e-7)
    stages = analysis.by_stage(list(by_weight.values()))
    assert list(stages) == ["conv1", "conv2", "conv3", "predictions"]
    squares = sum(e.norms**2 for e in by_weight.values() if e.stage == "conv3")
    np.testing.assert_allclose(stages["conv3"], np.sqrt(squares))


@pytest.mark.long
def test_loops_have_a_norm_for_each_block(rng):
    looped = tiny(rng, blocks=(3,), filters=(2,), unroll=False)
    images, labels = batch(rng, looped)
    one, other = (
        {e.weight: e.norms for e in analysis.gradient_norms(analysis.Loss(m, images, labels, "batch"))}
        for m in (looped, keras_resnet.convert(looped, unroll=True))
    )
    assert one.keys() == other.keys()
    for name, norms in one.items():
        np.testing.assert_allclose(norms, other[name], rtol=1e-3, atol=1e-6)


def test_flow_is_the_gradient_at_each_part(rng):
    model = tiny(rng)
    images, labels = batch(rng, model)
    flow = analysis.flow(model, images, labels)
    body = keras.Model(model.input, model.get_layer("conv2_block1_out").output)
    head = keras.Model(model.get_layer("conv2_block1_out").output, model.output)
    x = body(images, training=False)
    with tf.GradientTape() as tape:
        tape.watch(x)
        losses = keras.losses.sparse_categorical_crossentropy(labels, head(x, training=False))
    norms = np.linalg.norm(tape.gradient(losses, x).numpy().reshape(len(labels), -1), axis=1)
    assert flow["conv2_block1"] == pytest.approx(norms.mean(), rel=1e-4)
    assert list(flow) == ["stem", "conv2_block1", "conv3_block1"]


def test_batch_statistics_leave_the_model_as_it_was(rng):
    model = tiny(rng)
    before = model.get_weights()
    analysis.flow(model, *batch(rng, model), "batch")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.long
def test_gradients_of_plain_nets_shatter_sooner(rng):
    """Balduzzi et al. 2017: at initialization, normalization by the batch, at the same depth and distance."""
    keras.utils.set_random_seed(0)
    nets = [keras_resnet.ResNet56(residual=kind, input_shape=(16, 16, 3), width=0.5) for kind in (True, False)]
    images = rng.normal(size=(32, 16, 16, 3)).astype(np.float32)
    labels = rng.integers(0, 10, 32)
    near = []
    for net in nets:
        batches = tf.data.Dataset.from_tensors((images, labels))
        keras_resnet.evaluation.recalibrate_batch_norm(net, batches)
        correlations = analysis.shattering(net, images, labels, (0.0, 0.05))
        np.testing.assert_allclose(correlations[0], 1, atol=1e-4)
        near.append(np.median(correlations[1]))
    assert near[0] > 2 * near[1]


@pytest.mark.long
def test_the_callback_records_while_fit_trains(rng):
    keras.utils.set_random_seed(0)
    network = tiny(rng)
    images, labels = batch(rng, network, 8)
    model = TrainingModel(network)
    model.compile(SGD(0.05))
    watch = analysis.GradientWatch(images, labels, every=2, batch_size=4)
    data = tf.data.Dataset.from_tensors((images, labels)).repeat()
    model.fit(data, steps_per_epoch=4, callbacks=[watch], verbose=0, shuffle=False)
    assert [record["step"] for record in watch.records] == [2, 4]
    last = watch.records[-1]
    expected = analysis.by_stage(analysis.gradient_norms(analysis.Loss(network, images, labels, "batch", 4)))
    for stage, norms in expected.items():
        np.testing.assert_allclose(last["norms"][stage], norms, rtol=1e-4)
    kernel, momentum = network.get_layer("conv1_conv").kernel, model.optimizer.momentums[0]
    assert momentum.shape == kernel.shape
    ratio = np.linalg.norm(momentum.numpy()) / np.linalg.norm(kernel.numpy())
    assert last["ratios"]["conv1_conv/kernel"] == pytest.approx(ratio, rel=1e-5)
