"""Deep Residual Learning for Image Recognition (He, Zhang, Ren, Sun, 2015) for TensorFlow and Keras 3.

Networks are here; the rooms ``data``, ``training``, ``evaluation``, ``deployment``, ``detection``, ``analysis``,
``studies``, ``reporting``, ``weights`` and ``plots`` are modules of their own, imported at first use, so that networks
also run without TensorFlow.
"""

import importlib

from keras_resnet.messages import at_log_level, hide_interrupted_imports

with at_log_level():
    hide_interrupted_imports()
    import keras  # which imports its backend

from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.models import (
    PlainNet18,
    PlainNet20,
    PlainNet32,
    PlainNet34,
    PlainNet44,
    PlainNet50,
    PlainNet56,
    PlainNet101,
    PlainNet110,
    PlainNet152,
    ResNet18,
    ResNet20,
    ResNet32,
    ResNet34,
    ResNet44,
    ResNet50,
    ResNet56,
    ResNet101,
    ResNet110,
    ResNet152,
    ResNet1202,
    build,
    convert,
    pyramid,
    replace_classifier,
)
from keras_resnet.network import Network
from keras_resnet.predictions import decode_predictions
from keras_resnet.specs import SPECS, NetSpec
from keras_resnet.weights.preprocessing import Preprocessing, preprocess_input

_ROOMS = (
    *("analysis", "data", "deployment", "detection", "evaluation"),
    *("plots", "reporting", "studies", "training", "weights"),
)


def __getattr__(name: str):
    if name in _ROOMS:
        return importlib.import_module(f"keras_resnet.{name}")
    raise AttributeError(f"module 'keras_resnet' has no attribute {name!r}")
