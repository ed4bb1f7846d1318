"""Conversion of names and layouts from and to the state dicts of torchvision, timm and akamaster's CIFAR networks."""

import re
import string
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import CLASSIFIER, STAGES, STEM, Name, known_name
from keras_resnet.weights.file_bounds import shown
from keras_resnet.weights.preprocessing import TORCH

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
TORCH_WEIGHTS = {**{canonical: torch for torch, canonical in NORM.items()}, "kernel": "weight"}
KEY = re.compile(
    r"(?:module\.)?(?:layer(?P<stage>\d+)\.(?P<block>\d+)\.)?"
    r"(?P<layer>conv\d+|bn\d+|(?:shortcut|downsample)\.[01]|linear|fc)\.(?P<parameter>\w+)$"
)
STATE_KEYS = ("state_dict", "model")


def canonical(key: str) -> str | None:
    """The canonical name for a state dict's key; None for a key that is not known."""
    match = KEY.match(key)
    if not match:
        return None
    layer, parameter = match["layer"], match["parameter"]
    if layer in ("linear", "fc"):
        return str(Name(CLASSIFIER, weight="kernel" if parameter == "weight" else parameter))
    if "." in layer:
        kind, number = ("conv" if layer.endswith("0") else "bn"), "0"
    else:
        kind = layer.rstrip(string.digits)
        number = layer.removeprefix(kind)
    if kind == "bn" and parameter not in NORM:
        return None
    weight = NORM[parameter] if kind == "bn" else {"weight": "kernel"}.get(parameter, parameter)
    index = int(match["stage"] or int(number) - 1)
    if index not in range(len(STAGES)):
        return None
    if not match["stage"]:
        return str(Name(STAGES[index], kind=kind, weight=weight))
    return str(Name(STAGES[index], int(match["block"]) + 1, number, kind, weight))


def torchvision_key(name: str) -> str | None:
    """torchvision's key for a canonical name; None for a weight that its networks do not have."""
    parts = known_name(name)
    kind, number, weight = parts.kind, parts.position, parts.weight
    if parts.stage == CLASSIFIER:
        return f"fc.{'bias' if weight == 'bias' else TORCH_WEIGHTS[str(weight)]}"
    if kind not in ("conv", "bn") or (kind, weight) == ("conv", "bias"):  # a folded network has such a bias
        return None
    if parts.stage == STEM:
        return f"{kind}1.{TORCH_WEIGHTS[str(weight)]}"
    if number not in ("0", "1", "2", "3"):
        return None
    part = f"downsample.{int(kind == 'bn')}" if number == "0" else kind + number
    return f"layer{STAGES.index(parts.stage)}.{(parts.block or 1) - 1}.{part}.{TORCH_WEIGHTS[str(weight)]}"


def keras_layout(array: np.ndarray) -> np.ndarray:
    """PyTorch's [out, in, height, width] to [height, width, in, out], and [out, in] to [in, out]."""
    return np.ascontiguousarray(array.transpose((2, 3, 1, 0)) if array.ndim == 4 else array.T)


def torch_layout(array: np.ndarray) -> np.ndarray:
    """The inverse of :func:`keras_layout`."""
    return np.ascontiguousarray(array.transpose((3, 2, 0, 1)) if array.ndim == 4 else array.T)


def convert(content: object, source: str) -> dict[str, Any]:
    """The fields of a :class:`TrainedWeights` from a PyTorch file's ``content``, and pairs of keys for one weight.

    ``content`` is a state dict, or holds one under ``"state_dict"`` or ``"model"``. ImageNet networks are taken to
    stride in the 3x3 convolution, as those of torchvision and timm do, and CIFAR networks without projections to have
    akamaster's option A.
    """
    state = content
    if isinstance(content, dict):
        state = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), dict)), content)
    if not isinstance(state, dict) or not state or not all(isinstance(v, np.ndarray) for v in state.values()):
        raise InputError(f"{source} holds no state dict of tensors: save the model's state_dict().")
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    twice: list[tuple[str, str]] = []
    for key, value in state.items():
        if not isinstance(key, str):
            raise InputError(f"{source} has the key {shown(key)}, which is not a text: save the model's state_dict().")
        if key.endswith("num_batches_tracked"):  # a counter, not a weight
            continue
        name = canonical(key)
        if name is None:
            raise InputError(
                f"{source} has the key {shown(key)!r} of shape {value.shape}, which no ResNet here has: "
                "the network has no such weight."
            )
        if name in arrays:
            twice.append((names[name], key))
        arrays[name], names[name] = keras_layout(value), key
    parts = [known_name(name) for name in arrays]
    imagenet = any(name.stage == STAGES[4] for name in parts)
    bottleneck = any(name.position == "3" for name in parts)
    needs: dict[str, Any] = {
        "stem": "imagenet" if imagenet else "cifar",
        "block": "bottleneck" if bottleneck else "basic",
        "residual": True,
        "placement": "original",
        "bn_epsilon": 1e-5,
    }
    if bottleneck:
        needs["stride_in"] = "3x3"
    projected = any((name.position, name.kind) == ("0", "conv") for name in parts)
    needs |= {"shortcut": "B"} if projected or imagenet else {"shortcut": "A", "zero_channels": "both_sides"}
    preprocessing = TORCH if imagenet else TORCH.at_crop(1.0)
    return {"arrays": arrays, "names": names, "needs": needs, "preprocessing": preprocessing, "twice": twice}
