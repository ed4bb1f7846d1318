"""Reading weights that others trained, and naming the weights of our networks.

``read(path)`` gives a :class:`Checkpoint`: arrays by canonical name, the spec fields they need and the
preprocessing they expect. ``named_arrays(model)`` and ``assign_arrays(model, arrays)`` move weights between networks,
whether their blocks are layers of their own or slices of a loop.
"""

from keras_resnet.weights.checkpoint import Checkpoint, read
from keras_resnet.weights.named import assign_arrays, named_arrays
from keras_resnet.weights.preprocessing import Preprocessing, preprocess_input

__all__ = ["Checkpoint", "Preprocessing", "assign_arrays", "named_arrays", "preprocess_input", "read"]
