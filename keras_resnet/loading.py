"""Models as the command line names them."""

import zipfile
from pathlib import Path

import keras

from keras_resnet import weights
from keras_resnet.errors import InputError
from keras_resnet.models import build
from keras_resnet.specs import change_spec, find_spec, split_name
from keras_resnet.weights.checkpoint import READERS
from keras_resnet.weights.keras_file import check_members
from keras_resnet.weights.known import fetch

UNLOADABLE = (  # how Keras says that a file is damaged, of an unknown class, or asks for code
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OSError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
)


def load_model(model: str | Path) -> keras.Model:
    """The model called ``NAME``, ``NAME:WEIGHTS`` (a file, or imagenet), or saved in a file.

    A ``.keras`` file gives the model as it was saved. Of other weight files the network is built that they need, with
    their classes and, where the file tells it, their input size.

    Raises:
        InputError: no such network or file, or weights that do not fit.
    """
    name, path = split_name(str(model))
    if name is None and not path.endswith(tuple(READERS)):
        find_spec(path)
    if not path:
        return build(find_spec(name))
    if path.endswith(".keras") and name is None:
        return _saved(Path(path).expanduser())
    checkpoint = weights.read(fetch(name) if path == "imagenet" else path)
    spec = checkpoint.spec
    if name is not None:
        wanted = find_spec(name)
        spec = change_spec(wanted, **checkpoint.needs)
        for key in ("stem", "block", "residual"):
            checkpoint.check_spec(change_spec(spec, **{key: getattr(wanted, key)}))
    return build(
        spec,
        include_top=checkpoint.classes is not None,
        weights=checkpoint,
        input_shape=checkpoint.input_shape,
        classes=checkpoint.classes,
    )


def _saved(path: Path) -> keras.Model:
    if not path.is_file():
        raise InputError(f"There is no model file {path}: give NAME, NAME:WEIGHTS, or a .keras or weight file.")
    check_members(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except UNLOADABLE as error:
        if "FasterRCNN" in str(error):  # a class that is known once the detection room is open
            raise InputError(
                f"{path.name} holds a detector: detection.load_detector and tools/detect.py take it."
            ) from error
        reason = str(error).strip().split("\n")[0][:200].rstrip(".")
        raise InputError(f"{path.name} is damaged or no Keras model that can be loaded safely: {reason}.") from error
