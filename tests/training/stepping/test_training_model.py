"""The training step against Keras' own, its losses from logits, and the statistics it records."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from programs import run

import keras_resnet
from keras_resnet.training import SGD, TrainingModel
from keras_resnet.training.stepping.training_model import cross_entropy
from keras_resnet.weights import named_arrays

pytestmark = pytest.mark.long


def batch(rng, count=8, classes=10):
    images = rng.normal(size=(count, 32, 32, 3)).astype("float32")
    return images, rng.integers(0, classes, count).astype("int32")


def make(**options):
    keras.utils.set_random_seed(3)
    model = TrainingModel(keras_resnet.ResNet20(blocks=(1, 1, 1)))
    model.compile(SGD(0.01), **options)
    return model


def test_a_step_equals_keras_s_own(rng):
    """Weights, moving statistics and metrics after three steps of ``fit`` on a ragged data set."""
    images, labels = batch(rng, 20)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(8)
    ours = make()
    ours.fit(data, verbose=0)
    keras.utils.set_random_seed(3)
    theirs = keras_resnet.ResNet20(blocks=(1, 1, 1))
    theirs.compile(SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    history = theirs.fit(data, verbose=0, shuffle=False).history
    arrays = named_arrays(ours.network)
    for name, value in named_arrays(theirs).items():
        np.testing.assert_allclose(arrays[name], value, rtol=2e-4, atol=2e-5, err_msg=name)
    results = {name: float(value) for name, value in ours.get_metrics_result().items()}
    assert results["loss"] == pytest.approx(history["loss"][0], rel=1e-4)
    assert results["error"] == pytest.approx(100 * (1 - history["accuracy"][0]), abs=1e-3)


def test_smoothed_labels_equal_keras_s_label_smoothing(rng):
    images, labels = batch(rng)
    soft = np.full((8, 10), 0.01, np.float32)
    soft[np.arange(8), labels] = 0.91
    model = make()
    model.train_on_batch(images, soft)
    scores = make().network(images, training=True)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)(keras.ops.one_hot(labels, 10), scores)
    assert float(model.get_metrics_result()["loss"]) == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("unroll", [True, False])
def test_losses_are_exact_where_softmax_saturates(unroll, rng):
    """Logits of hundreds, whose probabilities are 0 and 1 in float32, against NumPy's log-sum-exp in float64."""
    network = keras_resnet.ResNet20(blocks=(3, 2), filters=(16, 32), unroll=unroll)
    kernel = network.layers[-1].kernel
    kernel.assign(300 * kernel)
    images, labels = batch(rng)
    features = keras.Model(network.input, network.layers[-1].input)(images, training=False).numpy()
    logits = features.astype(float) @ kernel.numpy()
    expected = scipy.special.logsumexp(logits, axis=1) - logits[np.arange(8), labels]
    assert expected.max() > 100
    model = TrainingModel(network)
    np.testing.assert_allclose(model(images, training=False), logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(cross_entropy(tf.constant(labels), model(images)), expected, rtol=1e-3, atol=1e-3)
    hot = tf.one_hot(labels, 10)
    np.testing.assert_allclose(cross_entropy(hot, model(images)), expected, rtol=1e-3, atol=1e-3)
    assert [v.name for v in model.variables] == [v.name for v in network.variables]  # the order that checkpoints have


def test_gradient_norms_by_stage_are_those_of_a_plain_tape(rng):
    images, labels = batch(rng)
    model = make()
    model.train_on_batch(images, labels)
    other = make().network

    @tf.function
    def plain():
        with tf.GradientTape() as tape:
            loss = keras.losses.SparseCategoricalCrossentropy()(labels, other(images, training=True))
        return tape.gradient(loss, [v.value for v in other.trainable_variables])

    squares = {}
    for variable, gradient in zip(other.trainable_variables, plain(), strict=True):
        stage = variable.path.split("/")[0].split("_")[0]
        squares[stage] = squares.get(stage, 0) + float(tf.reduce_sum(gradient**2))
    assert model.stages == ["conv1", "conv2", "conv3", "conv4", "predictions"]
    np.testing.assert_allclose(model.gradient_squares.numpy(), [squares[s] for s in model.stages], rtol=1e-3)


def test_the_first_bad_step_is_kept(rng):
    images, labels = batch(rng)
    model = make()
    for step in range(5):
        model.train_on_batch(np.where(step == 2, np.nan, images).astype("float32"), labels)
    assert model.bad_step.numpy() == 2


def test_the_worst_mistakes_have_the_highest_losses_of_the_wrong_ones(rng):
    images, labels = batch(rng, 50)
    model = make()
    logits = keras.Model(model.network.input, model.network.layers[-2].output)(images, training=False).numpy()
    logits = logits @ model.network.layers[-1].kernel.numpy()  # the bias is still zero
    model.evaluate(tf.data.Dataset.from_tensor_slices((images, labels)).batch(8), verbose=0)
    losses = scipy.special.logsumexp(logits, axis=1) - logits[np.arange(50), labels]
    losses *= logits.argmax(1) != labels
    worst = np.argsort(-losses)[:16]
    images_found, labels_found, guesses_found, losses_found = model.mistakes.values(model.local)
    np.testing.assert_allclose(losses_found, losses[worst], rtol=1e-3)
    assert set(zip(labels_found, guesses_found, strict=True)) <= set(zip(labels, logits.argmax(1), strict=True))
    np.testing.assert_array_equal(images_found[0], images[worst[0]])
    model.mistakes.reset()
    assert len(model.mistakes.values(model.local)[0]) == 0


def test_a_step_that_uses_every_thread_does_not_count_as_waiting_for_input():
    """With one thread, on input that is ready and on input that takes five times as long as a step."""
    script = Path(__file__).with_name("wait_for_input.py")
    done = run(script)
    assert done.returncode == 0, done.stderr
    shares = json.loads(done.stdout.splitlines()[-1])
    assert shares["quick"] < 0.5 < shares["slow"]
