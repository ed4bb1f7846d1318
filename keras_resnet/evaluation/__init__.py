"""How good a model is: error rates in percent, as the paper reports them.

``score(model, split, View("10-crop"))`` gives the probabilities of a pass over test photos, ``Ensemble`` those of
several models, and ``Scores.error(k)`` the top-k error with its interval; ``report_of(scores, classes, split)`` says
which classes fail. ``evaluate(model, batches, classes)`` gives loss and errors in training;
``recalibrate_batch_norm(model, batches)`` makes normalization's test statistics.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
