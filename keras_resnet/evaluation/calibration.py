"""Calibration of a model's probabilities: reliability, expected calibration error, temperature.

Guo et al. 2017, "On Calibration of Modern Neural Networks".
"""

from dataclasses import dataclass

import numpy as np

from keras_resnet.evaluation.scoring import Scores

BINS = 15  # as in the paper
TEMPERATURES = (0.05, 20.0)  # bounds of the search


@dataclass(frozen=True)
class Reliability:
    """Answers by their probability, in bins of equal width from 0 to 1 (Guo et al., Sec. 2).

    Fields:
        counts: answers in each bin, int ``[bins]``.
        confidence: mean probability of these answers, ``[bins]``; NaN where there are none.
        accuracy: share of right answers, ``[bins]``; NaN where there are none.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error in percent: how far confidence and accuracy are apart (Eqn. 3)."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return 100 * float(self.counts @ gaps / max(1, self.counts.sum()))


def reliability(scores: Scores, bins: int = BINS) -> Reliability:
    """The reliability of ``scores``; a bin contains its upper bound, but not its lower bound."""
    confidence = scores.probabilities.max(axis=1).astype(np.float64)
    right = scores.probabilities.argmax(axis=1) == scores.labels
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(places, values, bins) / counts for values in (confidence, right)]
    return Reliability(counts, *means)


def at_temperature(scores: Scores, temperature: float) -> Scores:
    """The scores of logits that are divided by ``temperature`` (Sec. 4.2); the answers do not change."""
    logits = _logits(scores) / temperature
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Scores((exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32), scores.labels)


def fit_temperature(scores: Scores) -> float:
    """The temperature with the least cross-entropy on ``scores``, of a validation part (Sec. 4.2).

    It is from 0.05 to 20. If all answers are right, there is no minimum, and the result is about 0.05.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    logits = _logits(scores)
    of_label = logits[np.arange(len(logits)), scores.labels]

    def loss(log_temperature):
        inverse = np.exp(-log_temperature)
        return float(np.mean(logsumexp(logits * inverse, axis=1) - of_label * inverse))

    bounds = np.log(TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def _logits(scores: Scores) -> np.ndarray:
    """The logits up to a constant for each example, float64; zero probabilities are replaced by the least float32."""
    return np.log(np.maximum(scores.probabilities.astype(np.float64), np.finfo(np.float32).tiny))
