"""What a network remembers beside its weights, as plain values for files."""

from dataclasses import asdict
from unicodedata import category

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.specs import NetSpec
from keras_resnet.weights import file_bounds
from keras_resnet.weights.file_bounds import shown
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.values import check_dtype

UNPRINTABLE = {"Cc", "Cs"}  # control characters, and halves of characters
MEAN_IMAGE = "mean_image"  # stands in a description for the array, which a file keeps beside it
DESCRIBED = ("spec", "preprocessing", "source", "licence", "class_names")
OUTPUT_FIELDS = (  # of a spec: weights of the same shapes give other outputs under another value
    "stem",
    "block",
    "residual",
    "shortcut",
    "zero_channels",
    "placement",
    "stride_in",
    "activation",
    "width",
    "bn_epsilon",
)


class MeanImage(str):
    """``MEAN_IMAGE`` in a description that is in memory, where the array goes with it; JSON gets the text alone."""

    image: np.ndarray

    def __new__(cls, image: np.ndarray):
        made = super().__new__(cls, MEAN_IMAGE)
        made.image = image
        return made


def as_json(model) -> dict:
    """The attributes in ``DESCRIBED``, and the input's shape; a mean image as :class:`MeanImage`."""
    preprocessing = model.preprocessing.get_config() if model.preprocessing else None
    if preprocessing and model.preprocessing.mean.ndim == 3:
        preprocessing["mean"] = MeanImage(model.preprocessing.mean)
    return {
        "spec": asdict(model.spec) if model.spec else None,
        "preprocessing": preprocessing,
        "source": model.source,
        "licence": model.licence,
        "class_names": list(model.class_names) if model.class_names else None,
        "input_shape": list(model.input_shape[1:]),
    }


def mean_image(description: dict) -> np.ndarray | None:
    """The mean image that goes with a description of :func:`as_json`."""
    return getattr((description.get("preprocessing") or {}).get("mean"), "image", None)


def waits_for_image(description: dict) -> bool:
    """Whether this is a description of a file that keeps its mean image as an array, without that."""
    preprocessing = description.get("preprocessing")
    mean = preprocessing.get("mean") if isinstance(preprocessing, dict) else None
    return type(mean) is str and mean == MEAN_IMAGE


def with_mean_image(description: dict, image: np.ndarray | None) -> dict:
    """A file's description, completed by the array that the file keeps for it.

    Raises:
        InputError: the array is missing where there should be one, is too large, or holds no numbers.
    """
    if not waits_for_image(description):
        return description
    if image is None:
        raise InputError("The mean image that its weights expect is missing: save the network again.")
    if image.nbytes > file_bounds.MEAN_IMAGE:
        raise InputError(
            f"Its mean image has {image.nbytes:,} bytes, more than the {file_bounds.MEAN_IMAGE:,} there can be."
        )
    check_dtype(image, "Its mean image")
    return description | {"preprocessing": description["preprocessing"] | {"mean": MeanImage(image)}}


def of_config(config: dict) -> dict:
    """The description in a saved network's configuration: with its first layer, or, of earlier versions, at the top."""
    return config["layers"][0].get("description", config)


def parse(description: dict) -> dict:
    """The attributes by name, as :func:`as_json` found them; None for what is missing.

    Raises:
        InputError: a value that cannot be; TypeError where it is of another kind.
    """
    description = with_mean_image(description, None)
    spec, preprocessing, names = (description.get(key) for key in ("spec", "preprocessing", "class_names"))
    image = {} if mean_image(description) is None else {"mean": mean_image(description)}
    own = spec.get("name") if isinstance(spec, dict) else None
    for text in (own, description.get("source"), description.get("licence"), *(names or ())):
        if text is not None and (not isinstance(text, str) or UNPRINTABLE & set(map(category, text))):
            raise InputError(f"{shown(text)!r} is no name that can be printed.")
    return {
        "spec": NetSpec(**spec) if spec else None,
        "preprocessing": Preprocessing.from_config(preprocessing | image) if preprocessing else None,
        "source": description.get("source"),
        "licence": description.get("licence"),
        "class_names": tuple(names) if names else None,
    }


def input_shape(description: dict) -> tuple | None:
    """The input's shape, where it is told."""
    shape = description.get("input_shape")
    return tuple(shape) if shape else None


def needs_of(spec: NetSpec) -> dict:
    """The fields of ``spec`` without which its weights fit and give other outputs."""
    needs = {field: getattr(spec, field) for field in OUTPUT_FIELDS}
    if spec.block == "basic":
        del needs["stride_in"]
    if not spec.residual:
        del needs["shortcut"]
    if not spec.residual or spec.shortcut in ("B", "C"):
        del needs["zero_channels"]
    return needs
