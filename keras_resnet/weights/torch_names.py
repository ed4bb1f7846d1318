"""State dicts of torchvision, timm and akamaster/pytorch_resnet_cifar10: their names and layouts, both ways."""

import re

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.weights.bounds import shown
from keras_resnet.weights.preprocessing import TORCH

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
OURS = {**{ours: theirs for theirs, ours in NORM.items()}, "kernel": "weight"}
KEY = re.compile(
    r"(?:module\.)?(?:layer(?P<stage>\d+)\.(?P<block>\d+)\.)?"
    r"(?P<layer>conv\d+|bn\d+|(?:shortcut|downsample)\.[01]|linear|fc)\.(?P<what>\w+)$"
)
NAME = re.compile(r"conv(?P<stage>\d+)_block(?P<block>\d+)_(?P<number>\d+)_(?P<kind>conv|bn)$")
STATE_KEYS = ("state_dict", "model")


def canonical(key: str) -> str | None:
    """Our name for a state dict's key; None for a key of no layer we know."""
    match = KEY.match(key)
    if not match:
        return None
    layer, what = match["layer"], match["what"]
    if layer in ("linear", "fc"):
        return f"predictions/{'kernel' if what == 'weight' else what}"
    prefix = f"conv{int(match['stage']) + 1}_block{int(match['block']) + 1}_" if match["stage"] else "conv"
    if "." in layer:
        kind, number = ("conv" if layer.endswith("0") else "bn"), "0"
    else:
        kind, number = re.match(r"(conv|bn)(\d+)", layer).groups()
    if kind == "bn" and what not in NORM:
        return None
    return f"{prefix}{number}_{kind}/{NORM[what] if kind == 'bn' else {'weight': 'kernel'}.get(what, what)}"


def torchvision_key(name: str) -> str | None:
    """torchvision's key for our name; None for a weight its networks lack."""
    layer, what = name.split("/")
    what = "bias" if what == "bias" else OURS.get(what)
    if layer == "predictions":
        return f"fc.{what}"
    if name in ("conv1_conv/kernel", *(f"conv1_bn/{part}" for part in OURS)):
        return f"{layer.removeprefix('conv1_')}1.{what}"
    match = NAME.match(layer)
    if not match or what is None or (match["kind"] == "conv" and what == "bias"):  # as of a folded network
        return None
    kind, number = match["kind"], match["number"]
    part = f"downsample.{int(kind == 'bn')}" if number == "0" else kind + number
    return f"layer{int(match['stage']) - 1}.{int(match['block']) - 1}.{part}.{what}"


def keras_layout(array: np.ndarray) -> np.ndarray:
    """PyTorch's [out, in, height, width] to [height, width, in, out], and [out, in] to [in, out]."""
    return np.ascontiguousarray(array.transpose((2, 3, 1, 0)) if array.ndim == 4 else array.T)


def torch_layout(array: np.ndarray) -> np.ndarray:
    """The way back from :func:`keras_layout`."""
    return np.ascontiguousarray(array.transpose((3, 2, 0, 1)) if array.ndim == 4 else array.T)


def convert(content, source: str) -> dict:
    """A checkpoint's fields from a state dict, bare or under ``"state_dict"``, and pairs of keys for the same weight.

    ImageNet networks stride in the 3x3 convolution, as torchvision and timm; CIFAR networks without projections are
    akamaster's option A.
    """
    state = content
    if isinstance(content, dict):
        state = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), dict)), content)
    if not isinstance(state, dict) or not state or not all(isinstance(v, np.ndarray) for v in state.values()):
        raise InputError(f"{source} holds no state dict of tensors: save the model's state_dict().")
    arrays, names, twice = {}, {}, []
    for key, value in state.items():
        if not isinstance(key, str):
            raise InputError(f"{source} has the key {shown(key)}, which is no text: save the model's state_dict().")
        if key.endswith("num_batches_tracked"):  # a counter, no weight
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
    imagenet = any(name.startswith("conv5_") for name in arrays)
    bottleneck = "conv2_block1_3_conv/kernel" in arrays
    needs = {
        "stem": "imagenet" if imagenet else "cifar",
        "block": "bottleneck" if bottleneck else "basic",
        "residual": True,
        "placement": "original",
        "bn_epsilon": 1e-5,
    }
    if bottleneck:
        needs["stride_in"] = "3x3"
    projected = any("_0_conv/" in name for name in arrays)
    needs |= {"shortcut": "B"} if projected or imagenet else {"shortcut": "A", "zero_channels": "both_sides"}
    preprocessing = TORCH if imagenet else TORCH.at_crop(1.0)
    return {"arrays": arrays, "names": names, "needs": needs, "preprocessing": preprocessing, "twice": twice}
