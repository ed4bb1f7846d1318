"""The classifier alone and applied densely."""

import keras
import numpy as np
import pytest
from conftest import randomize

import keras_resnet
from keras_resnet import InputError, evaluation


def calm(model, rng):
    """Random weights, with logits of random images so small that softmax does not saturate."""
    randomize(model, rng)
    features = keras.Model(model.input, model.layers[-2].output)
    logits = features(rng.normal(size=(4, *model.input_shape[1:]))) @ model.layers[-1].kernel
    model.layers[-1].kernel.assign(model.layers[-1].kernel / np.abs(logits).max())
    return model


@pytest.mark.long
@pytest.mark.parametrize(
    "make",
    [
        lambda: keras_resnet.ResNet18(blocks=(1, 1, 1, 1), width=0.25, classes=10),
        lambda: keras_resnet.ResNet20(blocks=(3, 2), filters=(16, 32), unroll=False),
        lambda: keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3)),
    ],
)
def test_dense_scores_at_the_model_s_own_size_are_the_model_s(make, rng):
    model = calm(make(), rng)
    images = rng.normal(size=(3, *model.input_shape[1:])).astype("float32")
    expected = model(images).numpy()
    assert expected.max() < 0.999
    np.testing.assert_allclose(evaluation.dense_scores(model)(images), expected, atol=1e-5)
    assert all(layer.output.shape[1:3] == model.get_layer(layer.name).output.shape[1:3] for layer in model.layers[:9])


@pytest.mark.long
def test_dense_scores_average_the_classifier_over_positions(rng):
    model = calm(keras_resnet.ResNet18(blocks=(1, 1, 1, 1), width=0.25, classes=10, input_shape=(64, 64, 3)), rng)
    images = rng.normal(size=(2, 96, 128, 3)).astype("float32")
    body = keras_resnet.ResNet18(blocks=(1, 1, 1, 1), width=0.25, include_top=False)
    arrays = keras_resnet.weights.named_arrays(model)
    body.set_weights([arrays[name] for name in keras_resnet.weights.named_arrays(body)])
    maps = body(images).numpy()
    assert maps.shape == (2, 3, 4, 128)
    expected = []
    for row in range(2):
        for column in range(3):
            pooled = maps[:, row : row + 2, column : column + 2].mean(axis=(1, 2))
            logits = pooled @ arrays["predictions/kernel"] + arrays["predictions/bias"]
            exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
            expected.append(exponents / exponents.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(evaluation.dense_scores(model)(images), np.mean(expected, axis=0), atol=1e-5)


def test_logits_are_what_softmax_was_applied_to(rng):
    model = calm(keras_resnet.ResNet20(blocks=(1, 1, 1)), rng)
    images = rng.normal(size=(2, 32, 32, 3)).astype("float32")
    logits = evaluation.with_activation(model, None)
    np.testing.assert_allclose(keras.ops.softmax(logits(images)), model(images), atol=1e-6)
    assert evaluation.with_activation(logits, None) is logits


def test_models_without_a_classifier_are_refused():
    body = keras_resnet.ResNet20(blocks=(1, 1, 1), include_top=False, pooling="avg")
    with pytest.raises(InputError, match="ResNet20 has no classifier on top: build or load it with include_top=True"):
        evaluation.classifier_of(body)
    inputs = keras.Input((8, 8, 3))
    flat = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)), name="flat")
    with pytest.raises(InputError, match="flat has no global average pooling under its classifier"):
        evaluation.dense_scores(flat)
    with pytest.raises(InputError, match="takes images of None x None pixels"):
        evaluation.input_size(keras_resnet.ResNet20(blocks=(1, 1, 1), input_shape=(None, None, 3)))
