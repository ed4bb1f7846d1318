"""The check of a model that a command line names, before Keras is loaded."""

from pathlib import Path

from keras_resnet.specs import find_spec, split_name
from keras_resnet.weights.file_bounds import check_file, expanded
from keras_resnet.weights.first_bytes import check_first_bytes


def check_model(model: str) -> None:
    """Raise :class:`InputError` unless ``model`` is NAME or NAME:WEIGHTS of a known network, or a file.

    The file must be readable and begin as its suffix says; what it holds is checked when the model is loaded.
    """
    name, path = split_name(model)
    if name is None and not Path(path).suffix:
        find_spec(path)
    elif path and path != "imagenet":
        check_model_file(Path(path), "give NAME:WEIGHTS, or a .keras or weight file")


def check_model_file(path: Path, way_out: str = "give a .keras file that a recipe wrote") -> None:
    """Raise :class:`InputError` unless ``path`` is a readable file, with ``way_out`` if there is none."""
    path = expanded(path)
    check_file(path, "model file", way_out)
    check_first_bytes(path)
