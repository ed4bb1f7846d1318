"""Reading and writing weights: the files of other systems, this package's own, and the data that belongs to them.

``read(path)`` and ``from_model(model)`` give a :class:`TrainedWeights`: arrays by canonical name, the spec fields they
need, their preprocessing, source and licence. ``write(model, path)`` writes a file. ``named_arrays(model)`` and
``assign_arrays(model, arrays)`` move weights between networks, whether their blocks are separate layers or slices of a
loop. ``fold_batch_norm(model)`` makes a network for inference.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
