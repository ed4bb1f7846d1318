"""How good a model is: error rates in percent, as the paper reports them.

``evaluate(model, batches, classes)`` gives loss and errors over one pass; ``ErrorRate`` and ``TopKErrorRate`` are the
metrics that training shows too; ``recalibrate_batch_norm(model, batches)`` makes normalization's test statistics.
"""

from keras_resnet.evaluation.error_rates import ErrorRate, TopKErrorRate, check_classes, evaluate
from keras_resnet.evaluation.recalibration import recalibrate_batch_norm

__all__ = ["ErrorRate", "TopKErrorRate", "check_classes", "evaluate", "recalibrate_batch_norm"]
