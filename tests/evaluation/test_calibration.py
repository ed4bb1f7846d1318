"""Calibration is that of another library, of a loop, and of probabilities whose truth is known."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from keras_resnet.evaluation import Scores, at_temperature, fit_temperature, reliability


def drawn(rng, count=20_000, classes=5, temperature=1.0):
    """Labels drawn from softmax(z), and scores softmax(temperature z): too sure by that temperature."""
    logits = rng.normal(size=(count, classes))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return Scores(softmax(temperature * logits, axis=1).astype("float32"), labels.astype("int32"))


def test_reliability_is_scikit_learns(rng):
    scores = drawn(rng, 3000)
    measured = reliability(scores)
    right = scores.probabilities.argmax(axis=1) == scores.labels
    accuracy, confidence = calibration_curve(right, scores.probabilities.max(axis=1), n_bins=15)
    filled = measured.counts > 0
    assert not filled.all()  # nothing below 1 / classes is a first choice
    np.testing.assert_allclose(measured.accuracy[filled], accuracy)
    np.testing.assert_allclose(measured.confidence[filled], confidence, rtol=1e-6)
    assert measured.counts.sum() == 3000


def test_the_expected_calibration_error_is_its_definition(rng):
    scores = drawn(rng, 500, temperature=3)
    measured, expected = reliability(scores, 10), 0.0
    for number in range(10):
        inside = [
            (max(p), list(p).index(max(p)) == label)
            for p, label in zip(scores.probabilities.tolist(), scores.labels, strict=True)
            if number / 10 < max(p) <= (number + 1) / 10
        ]
        if inside:
            expected += len(inside) / 500 * abs(np.mean([r for _, r in inside]) - np.mean([p for p, _ in inside]))
    assert measured.error == pytest.approx(100 * expected)


def test_probabilities_that_are_true_are_calibrated(rng):
    assert reliability(drawn(rng)).error < 1.5
    assert reliability(drawn(rng, temperature=3)).error > 10


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found_and_taken_out(rng, temperature):
    scores = drawn(rng, temperature=temperature)
    fitted = fit_temperature(scores)
    assert fitted == pytest.approx(temperature, rel=0.05)
    calibrated = at_temperature(scores, fitted)
    assert reliability(calibrated).error < 1.5
    np.testing.assert_array_equal(calibrated.probabilities.argmax(axis=1), scores.probabilities.argmax(axis=1))
    np.testing.assert_allclose(calibrated.probabilities.sum(axis=1), 1, rtol=1e-5)
    losses = [
        log_loss(scores.labels, at_temperature(scores, t).probabilities) for t in (fitted, 0.9 * fitted, fitted / 0.9)
    ]
    assert losses[0] == min(losses)


def test_probabilities_that_float32_rounds_to_zero_have_a_temperature():
    scores = Scores(np.array([[1, 0, 0], [0, 1, 0]] * 5, "float32"), np.array([0, 2] * 5, "int32"))
    assert 1 < fit_temperature(scores) <= 20
    right = Scores(np.eye(3, dtype="float32"), np.arange(3, dtype="int32"))
    assert fit_temperature(right) < 0.1
