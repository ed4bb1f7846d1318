"""A network's description: the attributes that it remembers beside its weights, as plain values for files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from unicodedata import category

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.specs import NetSpec
from keras_resnet.weights import file_bounds
from keras_resnet.weights.file_bounds import shown
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.values import check_dtype

if TYPE_CHECKING:
    from keras_resnet.network import Network

UNPRINTABLE = {"Cc", "Cs"}  # Unicode categories: control characters and surrogates
MEAN_IMAGE = "mean_image"  # takes the place of the array in a description; the file keeps the array separately
DESCRIBED = ("spec", "preprocessing", "source", "licence", "class_names")
OUTPUT_FIELDS = (  # fields of a spec on which the outputs depend even where weights have the same shapes
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
    """``MEAN_IMAGE`` with the array attached, in a description in memory; JSON holds the text only."""

    image: np.ndarray

    def __new__(cls, image: np.ndarray):
        text = super().__new__(cls, MEAN_IMAGE)
        text.image = image
        return text


def as_json(model: Network) -> dict[str, Any]:
    """The attributes in ``DESCRIBED`` and the input's shape; a mean image is a :class:`MeanImage`."""
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
    """The mean image attached to a description of :func:`as_json`."""
    return getattr((description.get("preprocessing") or {}).get("mean"), "image", None)


def waits_for_image(description: dict) -> bool:
    """Whether this description lacks its mean image, which the file keeps as an array."""
    preprocessing = description.get("preprocessing")
    mean = preprocessing.get("mean") if isinstance(preprocessing, dict) else None
    return type(mean) is str and mean == MEAN_IMAGE


def with_mean_image(description: dict, image: np.ndarray | None) -> dict:
    """A file's description, completed by the mean image that the file keeps as an array.

    Raises:
        InputError: the image is missing although the description needs one, is too large, or is not numeric.
    """
    if not waits_for_image(description):
        return description
    if image is None:
        raise InputError("The mean image that its weights expect is missing: save the network again.")
    if image.nbytes > file_bounds.MEAN_IMAGE:
        raise InputError(
            f"Its mean image has {image.nbytes:,} bytes, more than the {file_bounds.MEAN_IMAGE:,} allowed."
        )
    check_dtype(image, "Its mean image")
    return description | {"preprocessing": description["preprocessing"] | {"mean": MeanImage(image)}}


def of_config(config: dict) -> dict:
    """The description in a saved network's configuration: in its first layer, or at the top in earlier versions."""
    return config["layers"][0].get("description", config)


def parse(description: dict) -> dict[str, Any]:
    """The attributes by name that :func:`as_json` described; those that are missing are None.

    Raises:
        InputError: a value is not valid.
        TypeError: a value has the wrong type.
    """
    description = with_mean_image(description, None)
    spec, preprocessing, names = (description.get(key) for key in ("spec", "preprocessing", "class_names"))
    image = {} if mean_image(description) is None else {"mean": mean_image(description)}
    network_name = spec.get("name") if isinstance(spec, dict) else None
    texts = (network_name, description.get("source"), description.get("licence"))
    check_printable(*(text for text in texts if text is not None), *(names or ()))
    return {
        "spec": NetSpec(**spec) if spec else None,
        "preprocessing": Preprocessing.from_config(preprocessing | image) if preprocessing else None,
        "source": description.get("source"),
        "licence": description.get("licence"),
        "class_names": tuple(names) if names else None,
    }


def check_printable(*texts: object) -> None:
    """Raise :class:`InputError` for the first of ``texts`` that is no text, or has control characters."""
    for text in texts:
        if not isinstance(text, str) or UNPRINTABLE & set(map(category, text)):
            raise InputError(f"{shown(text)!r} is not a name that can be printed.")


def input_shape(description: dict) -> tuple | None:
    """The input's shape, if the description has it."""
    shape = description.get("input_shape")
    return tuple(shape) if shape else None


def needs_of(spec: NetSpec) -> dict:
    """The fields of ``spec`` on which the outputs depend, even where the weights would fit another value."""
    needs = {field: getattr(spec, field) for field in OUTPUT_FIELDS}
    if spec.block == "basic":
        del needs["stride_in"]
    if not spec.residual:
        del needs["shortcut"]
    if not spec.residual or spec.shortcut in ("B", "C"):
        del needs["zero_channels"]
    return needs
