"""Weights in and out: files of other systems, our own, and what belongs to them.

``read(path)`` and ``from_model(model)`` give a :class:`Checkpoint`: arrays by canonical name, the spec fields they
need, their preprocessing, source and licence. ``write(model, path)`` writes them. ``named_arrays(model)`` and
``assign_arrays(model, arrays)`` move weights between networks, whether their blocks are layers of their own or slices
of a loop. ``fold_batch_norm(model)`` makes a network for inference.
"""

from keras_resnet.weights.checkpoint import Checkpoint, from_model, read
from keras_resnet.weights.folding import fold_batch_norm
from keras_resnet.weights.named import assign_arrays, named_arrays
from keras_resnet.weights.preprocessing import CAFFE, TORCH, Preprocessing, preprocess_input
from keras_resnet.weights.write import check_target, write

__all__ = [
    "CAFFE",
    "TORCH",
    "Checkpoint",
    "Preprocessing",
    "assign_arrays",
    "check_target",
    "fold_batch_norm",
    "from_model",
    "named_arrays",
    "preprocess_input",
    "read",
    "write",
]
