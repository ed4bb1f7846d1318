"""The Hessian against finite differences in float64, and its spectrum against a dense one."""

import keras
import numpy as np
import pytest
import scipy.special
from tiny_networks import batch, tiny

import keras_resnet
from keras_resnet import InputError, analysis
from keras_resnet.weights import assign_arrays, named_arrays

pytestmark = pytest.mark.long


class PlainNormalization(keras.layers.BatchNormalization):
    """Batch normalization by its formula, without ``tf.nn.moments``: correct to any derivative and dtype."""

    def call(self, inputs, training=None, mask=None):
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training:
            mean = keras.ops.mean(inputs, axis=(0, 1, 2))
            variance = keras.ops.mean(keras.ops.square(inputs - mean), axis=(0, 1, 2))
        return (inputs - mean) / keras.ops.sqrt(variance + self.epsilon) * self.gamma.value + self.beta.value


def in_float64(model):
    """The same network in float64 with plain normalization."""

    def swap(layer):
        kind = PlainNormalization if isinstance(layer, keras.layers.BatchNormalization) else type(layer)
        return kind.from_config({**layer.get_config(), "dtype": "float64"})

    clone = keras.models.clone_model(keras.Model(model.input, model.output), clone_function=swap)
    assign_arrays(clone, named_arrays(model))
    return clone


def gradient64(model, images, labels, weights, training):
    """Gradient of the mean cross-entropy in float64 at a flat vector of weights."""
    import tensorflow as tf

    shapes = [tuple(v.shape) for v in model.trainable_variables]
    with tf.GradientTape() as tape:
        vector = tf.constant(weights, tf.float64)
        tape.watch(vector)
        parts = tf.split(vector, [int(np.prod(s)) for s in shapes])
        tensors = [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
        states = [v.value for v in model.non_trainable_variables]
        scores, _ = model.stateless_call(tensors, states, images.astype(np.float64), training=training)
        loss = -tf.reduce_mean(tf.math.log(tf.gather(scores, labels, axis=1, batch_dims=1)))
    return tape.gradient(loss, vector).numpy()


LOOPED = {"unroll": False, "blocks": (2,), "filters": (2,)}


@pytest.mark.parametrize(
    ("changes", "normalization"),
    [
        ({}, "moving"),
        ({}, "batch"),
        ({"residual": False}, "moving"),
        ({"residual": False}, "batch"),
        pytest.param(LOOPED, "moving", marks=pytest.mark.slow),
        (LOOPED, "batch"),
    ],
)
def test_products_are_differences_of_gradients(rng, changes, normalization):
    """Against central differences of a float64 network, which Keras' own normalization does not give in training."""
    model = tiny(rng, **changes)
    images, labels = batch(rng, model)
    loss = analysis.Loss(model, images, labels, normalization)
    reference = in_float64(keras_resnet.convert(model, unroll=True))
    if model.spec.unroll is False:  # another order of the weights: compare what order does not change
        np.testing.assert_allclose(loss.product(loss.weights) @ loss.weights, quadratic(reference, images, labels,
                                   normalization == "batch"), rtol=1e-3)  # fmt: skip
        return
    direction = rng.normal(size=loss.size)
    direction /= np.linalg.norm(direction)
    ends = [loss.weights + sign * 1e-6 * direction for sign in (1, -1)]
    up, down = (gradient64(reference, images, labels, w, normalization == "batch") for w in ends)
    expected = (up - down) / 2e-6
    np.testing.assert_allclose(loss.product(direction), expected, atol=1e-3 * np.abs(expected).max())


def quadratic(model, images, labels, training):
    weights = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
    up, down = (gradient64(model, images, labels, (1 + s) * weights, training) for s in (1e-6, -1e-6))
    return weights @ (up - down) / 2e-6


@pytest.fixture(scope="module")
def dense(seed):
    """A loss on one batch, and its Hessian as a matrix."""
    rng = np.random.default_rng(seed)
    model = tiny(rng, blocks=(1,), filters=(3,))
    loss = analysis.Loss(model, *batch(rng, model, 8), "batch")
    return loss, np.stack([loss.product(row) for row in np.eye(loss.size)])


def test_eigenvalues_trace_and_density_are_those_of_the_dense_hessian(dense):
    loss, hessian = dense
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-4 * np.abs(hessian).max())
    values = np.linalg.eigvalsh((hessian + hessian.T) / 2)
    top, vectors = analysis.top_eigenvalues(loss, 3)
    np.testing.assert_allclose(top, values[:-4:-1], rtol=1e-3)
    np.testing.assert_allclose(hessian @ vectors[:, 0], top[0] * vectors[:, 0], atol=2e-2 * top[0])
    estimate, error = analysis.trace(loss, 100)
    assert abs(estimate - np.trace(hessian)) < 4 * error
    spectrum = analysis.spectral_density(loss, steps=60, probes=8)
    assert spectrum.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose([spectrum.nodes[0], spectrum.nodes[-1]], values[[0, -1]], rtol=1e-3)
    grid = np.linspace(values[0], values[-1], 30)
    exact = [(values <= place).mean() for place in grid]
    assert np.abs(spectrum.below(grid) - exact).max() < 0.06
    width = np.ptp(values) / 30
    smoothed = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).mean(axis=1) / (width * np.sqrt(2 * np.pi))
    assert np.abs(spectrum.density(grid, width) - smoothed).max() < 0.06 * smoothed.max()


def test_batches_are_averaged_by_their_size(rng):
    model = tiny(rng, blocks=(1,), filters=(3,))
    loss = analysis.Loss(model, *batch(rng, model, 8), "batch", batch_size=5)
    sizes, direction = [len(y) for _, y in loss.batches], rng.normal(size=loss.size)
    assert sizes == [5, 3]
    parts = [analysis.Loss(model, x.numpy(), y.numpy(), "batch") for x, y in loss.batches]
    assert loss.value() == pytest.approx(np.average([part.value() for part in parts], weights=sizes), rel=1e-5)
    products = np.average([part.product(direction) for part in parts], axis=0, weights=sizes)
    np.testing.assert_allclose(loss.product(direction), products, atol=1e-5 * np.abs(products).max())


def test_logits_give_the_loss_of_probabilities(rng):
    model = tiny(rng, classifier_activation=None)
    images, labels = batch(rng, model)
    probabilities = tiny(rng)
    assign_arrays(probabilities, named_arrays(model))
    losses = [analysis.Loss(m, images, labels) for m in (model, probabilities)]
    assert losses[0].value() == pytest.approx(losses[1].value(), rel=1e-5)
    np.testing.assert_allclose(losses[0].gradient(), losses[1].gradient(), atol=1e-5)


def test_a_loss_is_exact_where_softmax_saturates(rng):
    """Logits that are hundreds apart, whose probabilities are 0 and 1 in float32, against those of the logits."""
    logits, probabilities = tiny(rng, classifier_activation=None), tiny(rng)
    kernel = logits.layers[-1].kernel
    kernel.assign(1000 * kernel)
    assign_arrays(probabilities, named_arrays(logits))
    images, labels = batch(rng, logits)
    scores = logits(images, training=False).numpy().astype(float)
    apart = scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]
    assert apart.max() > 200
    losses = [analysis.Loss(model, images, labels) for model in (logits, probabilities)]
    assert [loss.value() for loss in losses] == pytest.approx([apart.mean()] * 2, rel=1e-5)
    gradients = [loss.gradient() for loss in losses]
    assert np.abs(gradients[0]).max() > 1
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-3)


def test_a_loss_without_curvature_has_eigenvalues_of_zero(rng):
    """Where softmax saturates on the labels, each derivative of the loss is zero."""
    model = tiny(rng, blocks=(1,), filters=(3,))
    kernel = model.layers[-1].kernel
    kernel.assign(1e6 * kernel)
    images, _ = batch(rng, model)
    loss = analysis.Loss(model, images, model(images, training=False).numpy().argmax(axis=1))
    values, vectors = analysis.top_eigenvalues(loss, 2)
    assert values.tolist() == [0, 0]
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(2))
    assert analysis.trace(loss, probes=2) == (0, 0)
    assert analysis.spectral_density(loss, probes=1).nodes.tolist() == [0]


def test_wrong_second_derivatives_are_refused(rng):
    """tf.nn.moments, which Keras' own layer uses, treats the mean within the variance as a constant."""
    model = keras_resnet.ResNet18(input_shape=(32, 32, 3), width=0.0625)  # conv5 has maps of one position
    images, labels = batch(rng, model)
    with pytest.raises(InputError, match="second derivatives of conv5_block1_1_bn are wrong"):
        analysis.Loss(model, images, labels, "batch")
    with pytest.raises(InputError, match="normalization 'train'"):
        analysis.Loss(model, images, labels, "train")
