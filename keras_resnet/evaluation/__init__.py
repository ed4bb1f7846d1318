"""Testing models: error rates in percent, as the paper reports them.

``score(model, split, View("10-crop"))`` gives a model's probabilities for test photos, ``Ensemble`` those of several
models, and ``Scores.error(k)`` the top-k error with its interval. In training, ``evaluate(model, batches, classes)``
gives loss and errors, and ``recalibrate_batch_norm(model, batches)`` computes the statistics for testing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
