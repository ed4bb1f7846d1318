"""Loading models by name or from files, as the command line gives them."""

import math
from pathlib import Path

import keras
import numpy as np
from keras.src.saving.serialization_lib import ObjectSharingScope

from keras_resnet import weights
from keras_resnet.errors import InputError
from keras_resnet.models import build
from keras_resnet.network import Network
from keras_resnet.specs import change_spec, find_spec, split_name
from keras_resnet.weights import keras_file, values
from keras_resnet.weights.file_bounds import (
    FREE,
    NETWORKS,
    SHARDED,
    TEXT,
    Budget,
    check_file,
    content,
    expanded,
    parse_json,
    reading,
    unallocated,
)
from keras_resnet.weights.known import fetch
from keras_resnet.weights.trained_weights import READERS

OTHERS = {  # models of rooms that this one does not know, and what takes them
    "keras_resnet>FasterRCNN": "a detector: detection.load_detector and tools/detect.py",
    "keras_resnet>LocalizationRPN": "an RPN: localization.load_localizer and tools/localize.py",
    "keras_resnet>LocalizationRCNN": "an R-CNN: localization.load_localizer and tools/localize.py",
}


def load_model(model: str | Path, check_values: bool = True) -> keras.Model:
    """The model ``NAME``, ``NAME:WEIGHTS`` (a file, or imagenet), or the model saved in a file.

    A ``.keras`` file gives the model as it was saved. For other weight files, the network that they need is built, with
    their number of classes and, if the file states it, their input size.

    Args:
        model: the name or the file.
        check_values: refuse weights such as NaN, as :func:`keras_resnet.weights.read` does.

    Raises:
        InputError: there is no such network or file, or the weights do not fit or are refused.
    """
    name, path = split_name(str(model))
    if name is None and not path.endswith((*READERS, SHARDED)):
        find_spec(path)
    named = find_spec(name) if name else None
    if named and not path:
        return build(named)
    if path.endswith(".keras") and name is None:
        return _saved(expanded(path), check_values)
    checkpoint = weights.read(fetch(name) if name and path == "imagenet" else path, check_values)
    spec = checkpoint.spec
    if named:
        spec = change_spec(named, **checkpoint.needs)
        for key in ("stem", "block", "residual"):
            checkpoint.check_spec(change_spec(spec, **{key: getattr(named, key)}))
    return build(
        spec,
        include_top=checkpoint.classes is not None,
        weights=checkpoint,
        input_shape=checkpoint.input_shape,
        classes=checkpoint.classes,
    )


def _saved(path: Path, check_values: bool) -> keras.Model:
    """The model in a ``.keras`` file, loaded as by ``keras.saving.load_model`` in safe mode, but with bounded sizes."""
    check_file(path, "model file", "give NAME, NAME:WEIGHTS, or a .keras or weight file")
    with (
        reading(path, "is damaged or not a Keras model that can be loaded safely"),
        keras_file.open_archive(path) as (archive, directory),
    ):
        config = parse_json(content(archive, directory[keras_file.CONFIG], TEXT))
        keras_file.check_layers(path, config)
        registered = config.get("registered_name")
        if registered in OTHERS and keras.saving.get_registered_object(registered) is None:
            raise InputError(f"{path.name} holds {OTHERS[registered]} take it.")
        model = _described(path, config, directory[keras_file.WEIGHTS].file_size)
        with keras_file.checked_weights(path) as stored:
            keras.Model.load_weights(model, stored)
        if check_values:
            values.check_model(model, path.name)
        if isinstance(model, Network):
            model.take_mean_image(keras_file.asset(archive, directory))
        return model


def _described(path: Path, config: dict, stored: int) -> keras.Model:
    """The untrained model of ``config``, whose weights have ``stored`` bytes in the file.

    A model that is too large for its file is refused before it gets memory.
    """
    with unallocated(), ObjectSharingScope():
        model = keras.saving.deserialize_keras_object(config | {"compile_config": None}, safe_mode=True)
        if not isinstance(model, keras.Model):
            raise ValueError("it does not describe a model")
        size = sum(math.prod(variable.shape) * np.dtype(variable.dtype).itemsize for variable in model.variables)
        Budget(path).take("its network", size)
        if stored > NETWORKS * size + FREE:
            raise ValueError(f"its weights have {stored:,} bytes, and the network it describes has {size:,}")
    return model
