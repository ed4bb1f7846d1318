"""Weights in and out: files of other systems, our own, and what belongs to them.

``read(path)`` and ``from_model(model)`` give a :class:`TrainedWeights`: arrays by canonical name, the spec fields they
need, their preprocessing, source and licence. ``write(model, path)`` writes them. ``named_arrays(model)`` and
``assign_arrays(model, arrays)`` move weights between networks, whether their blocks are layers of their own or slices
of a loop. ``fold_batch_norm(model)`` makes a network for inference.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
