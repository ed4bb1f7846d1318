"""Error rates against counting by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import InputError
from keras_resnet.evaluation import ErrorRate, TopKErrorRate, evaluate


def test_error_rates_count(rng):
    scores, labels = rng.normal(size=(200, 20)).astype("float32"), rng.integers(0, 20, 200)
    order = np.argsort(-scores, axis=1)
    metric, top5 = ErrorRate(), TopKErrorRate(5)
    for part in (slice(0, 150), slice(150, 200)):  # a ragged second batch
        metric.update_state(labels[part], scores[part])
        top5.update_state(labels[part], scores[part])
    assert float(metric.result()) == pytest.approx(100 * np.mean(order[:, 0] != labels), rel=1e-6)
    expected = 100 * np.mean([label not in row for label, row in zip(labels, order[:, :5], strict=True)])
    assert float(top5.result()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("labels", "scores"), [(8, None), (None, 8), (None, None), (8, 8)])
def test_error_rates_count_in_graphs_that_know_one_batch_size_or_none(labels, scores):
    """As where parts of a batch were joined again: the labels' number is known, the scores' is not."""
    metric = ErrorRate()
    update = tf.function(
        lambda y, x: metric.update_state(y, x),
        input_signature=[tf.TensorSpec([labels], tf.int32), tf.TensorSpec([scores, 4], tf.float32)],
    )
    update(np.zeros(8, np.int32), np.eye(4, dtype=np.float32)[[0, 0, 0, 0, 0, 0, 1, 2]])
    assert float(metric.result()) == 25


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_no_right_answers(bad, rng):
    """A network of NaN scores has the label 0 right by ``argmax``, and any label by a comparison."""
    labels = np.arange(12)
    for metric in (ErrorRate(), TopKErrorRate(5)):
        for scores in (np.full((12, 12), bad, "float32"), np.where(labels == 3, bad, rng.normal(size=(12, 12)))):
            metric.reset_state()
            metric.update_state(labels, scores.astype("float32"))
            assert np.isnan(float(metric.result())), metric.name


def test_equal_scores_are_in_the_order_of_the_classes():
    """A dead network, whose scores are all alike, has one in twelve right, and five in twelve among the best five."""
    labels, scores = np.arange(12), np.full((12, 12), 1 / 12, "float32")
    for metric, expected in ((ErrorRate(), 11 / 12), (TopKErrorRate(5), 7 / 12)):
        metric.update_state(labels, scores)
        assert float(metric.result()) == pytest.approx(100 * expected)


def test_a_network_whose_error_is_not_finite_is_named(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    model.get_layer("predictions").bias.assign(np.full(10, np.nan))
    model.compile(loss="sparse_categorical_crossentropy", metrics=[ErrorRate()], jit_compile=False)
    batches = tf.data.Dataset.from_tensors((np.zeros((4, 32, 32, 3), "float32"), np.zeros(4)))
    with pytest.raises(InputError, match="ResNet20 gives scores that are not finite for 4 images of val"):
        evaluate(model, batches, 10, "4 images of val")


@pytest.mark.long
def test_evaluate_weights_each_example_alike(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    kernel = model.get_layer("predictions").kernel
    kernel.assign(0.01 * kernel)  # an untrained net's probabilities are 0 and 1, whose logarithm says nothing
    model.compile(loss="sparse_categorical_crossentropy", metrics=[ErrorRate()], jit_compile=False)
    x, y = rng.normal(size=(20, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 20)
    scores = model.predict(x, verbose=0)
    result = evaluate(model, tf.data.Dataset.from_tensor_slices((x, y)).batch(16), 10)
    assert result["error"] == pytest.approx(100 * np.mean(scores.argmax(axis=1) != y), abs=1e-4)
    assert result["loss"] == pytest.approx(-np.log(scores[np.arange(20), y]).mean(), rel=1e-4)


def test_a_class_count_that_differs_from_the_head_is_named():
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=7)
    with pytest.raises(
        InputError, match="ResNet20 gives 7 scores and the data has 10 classes: build it with classes=10"
    ):
        evaluate(model, None, 10)


@pytest.mark.long
def test_metrics_are_saved_with_a_model(tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    model.compile(loss="sparse_categorical_crossentropy", metrics=[ErrorRate(), TopKErrorRate(3)], jit_compile=False)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.preprocessing is None
