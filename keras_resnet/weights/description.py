"""What a network remembers beside its weights, as plain values for files."""

from dataclasses import asdict
from unicodedata import category

from keras_resnet.errors import InputError
from keras_resnet.specs import NetSpec
from keras_resnet.weights.bounds import shown
from keras_resnet.weights.preprocessing import Preprocessing

UNPRINTABLE = {"Cc", "Cs"}  # control characters, and halves of characters
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


def as_json(model) -> dict:
    """The attributes in ``DESCRIBED``, and the input's shape."""
    return {
        "spec": asdict(model.spec) if model.spec else None,
        "preprocessing": model.preprocessing.get_config() if model.preprocessing else None,
        "source": model.source,
        "licence": model.licence,
        "class_names": list(model.class_names) if model.class_names else None,
        "input_shape": list(model.input_shape[1:]),
    }


def of_config(config: dict) -> dict:
    """The description in a saved network's configuration: with its first layer, or, of earlier versions, at the top."""
    return config["layers"][0].get("description", config)


def parse(description: dict) -> dict:
    """The attributes by name, as :func:`as_json` found them; None for what is missing.

    Raises:
        InputError: a value that cannot be; TypeError where it is of another kind.
    """
    spec, preprocessing, names = (description.get(key) for key in ("spec", "preprocessing", "class_names"))
    own = spec.get("name") if isinstance(spec, dict) else None
    for text in (own, description.get("source"), description.get("licence"), *(names or ())):
        if text is not None and (not isinstance(text, str) or UNPRINTABLE & set(map(category, text))):
            raise InputError(f"{shown(text)!r} is no name that can be printed.")
    return {
        "spec": NetSpec(**spec) if spec else None,
        "preprocessing": Preprocessing.from_config(preprocessing) if preprocessing else None,
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
