"""State dicts of the CIFAR ResNets of akamaster/pytorch_resnet_cifar10, any depth, options A and B."""

import re

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.weights.preprocessing import TORCH

NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
KEY = re.compile(
    r"(?:module\.)?(?:layer(?P<stage>\d+)\.(?P<block>\d+)\.)?"
    r"(?P<layer>conv\d+|bn\d+|shortcut\.0|shortcut\.1|linear|fc)\.(?P<what>\w+)$"
)


def canonical(key: str) -> str | None:
    """Our name for a state dict's key; None for a key of no layer we know."""
    match = KEY.match(key)
    if not match:
        return None
    layer, what = match["layer"], match["what"]
    if layer in ("linear", "fc"):
        return f"predictions/{'kernel' if what == 'weight' else what}"
    prefix = f"conv{int(match['stage']) + 1}_block{int(match['block']) + 1}_" if match["stage"] else "conv"
    if layer.startswith("shortcut"):
        kind, number = ("conv" if layer.endswith("0") else "bn"), "0"
    else:
        kind, number = re.match(r"(conv|bn)(\d+)", layer).groups()
    if kind == "bn" and what not in NORM:
        return None
    return f"{prefix}{number}_{kind}/{NORM[what] if kind == 'bn' else {'weight': 'kernel'}.get(what, what)}"


def keras_layout(array: np.ndarray) -> np.ndarray:
    """PyTorch's [out, in, height, width] to [height, width, in, out], and [out, in] to [in, out]."""
    return np.ascontiguousarray(array.transpose((2, 3, 1, 0)) if array.ndim == 4 else array.T)


def convert(content, source: str):
    """(arrays, names, needs, preprocessing) of a state dict, bare or under ``"state_dict"``."""
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(v, np.ndarray) for v in state.values()):
        raise InputError(f"{source} holds no state dict of tensors: save the model's state_dict().")
    arrays, names = {}, {}
    for key, value in state.items():
        if key.endswith("num_batches_tracked"):  # a counter, no weight
            continue
        name = canonical(key)
        if name is None:
            raise InputError(
                f"{source} has the key {key!r} of shape {value.shape}, which no CIFAR ResNet has: "
                "the network has no such weight."
            )
        arrays[name], names[name] = keras_layout(value), key
    projected = any("_0_conv/" in name for name in arrays)
    needs = {"stem": "cifar", "block": "basic", "residual": True, "placement": "original", "bn_epsilon": 1e-5}
    needs |= {"shortcut": "B"} if projected else {"shortcut": "A", "zero_channels": "both_sides"}
    return arrays, names, needs, TORCH
