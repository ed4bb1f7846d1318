"""How good a model is: error rates in percent, as the paper reports them.

``score(model, split, View("10-crop"))`` gives the probabilities of a pass over test photos, ``Ensemble`` those of
several models, and ``Scores.error(k)`` the top-k error with its interval. ``evaluate(model, batches, classes)`` gives
loss and errors in training; ``recalibrate_batch_norm(model, batches)`` makes normalization's test statistics.
"""

from keras_resnet.evaluation.classifier import classifier_of, dense_scores, input_size, pooled_window, with_activation
from keras_resnet.evaluation.ensemble import Ensemble, greedy, joint
from keras_resnet.evaluation.error_rates import ErrorRate, TopKErrorRate, check_classes, check_finite, evaluate
from keras_resnet.evaluation.recalibration import recalibrate_batch_norm
from keras_resnet.evaluation.scoring import Estimate, Scores, cached_scores, check_model, score
from keras_resnet.evaluation.views import VIEWS, View, at_shorter_side

__all__ = [
    "VIEWS",
    "Ensemble",
    "ErrorRate",
    "Estimate",
    "Scores",
    "TopKErrorRate",
    "View",
    "at_shorter_side",
    "cached_scores",
    "check_classes",
    "check_finite",
    "check_model",
    "classifier_of",
    "dense_scores",
    "evaluate",
    "greedy",
    "input_size",
    "joint",
    "pooled_window",
    "recalibrate_batch_norm",
    "score",
    "with_activation",
]
