"""How good a model is: error rates in percent, as the paper reports them.

``evaluate(model, batches, classes)`` gives loss and errors over one pass; ``ErrorRate`` and ``TopKErrorRate`` are the
metrics that training shows too.
"""

from keras_resnet.evaluation.error_rates import ErrorRate, TopKErrorRate, check_classes, evaluate

__all__ = ["ErrorRate", "TopKErrorRate", "check_classes", "evaluate"]
