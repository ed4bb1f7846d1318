"""The builder of all blocks: basic or bottleneck, plain or residual, in every placement of normalization and ReLU."""

from dataclasses import dataclass

import keras
from keras import layers

from keras_resnet.layers import BatchNormalization, BlockLoop, Maxout, StochasticDepth
from keras_resnet.shortcuts import he_normal, subsample, summands
from keras_resnet.specs import EXPANSION, NetSpec
from keras_resnet.structure import OUTPUT, TEMPLATE
from keras_resnet.typing import Tensor


@dataclass(frozen=True)
class Placement:
    """The operations before a branch, between its convolutions, after its last convolution, and after the addition."""

    before: tuple[str, ...] = ()
    between: tuple[str, ...] = ("bn", "relu")
    last: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


PLACEMENTS = {  # Fig. 2; He et al. 2016, Fig. 4 (b) to (e)
    "original": Placement(last=("bn",), after=("relu",)),
    "bn_after_addition": Placement(after=("bn", "relu")),
    "relu_before_addition": Placement(last=("bn", "relu")),
    "relu_only_preactivation": Placement(before=("relu",), last=("bn",)),
    "full_preactivation": Placement(before=("bn", "relu")),
}


def normalize_activate(
    x: Tensor, operations: tuple[str, ...], spec: NetSpec, name: str, last_name: str | None = None
) -> Tensor:
    """Apply ``operations`` in order, as layers ``{name}_bn``, ``{name}_relu`` or ``{name}_maxout``.

    The last layer is called ``last_name`` if that is given.
    """
    for i, operation in enumerate(operations):
        layer_name = last_name if last_name and i == len(operations) - 1 else f"{name}_{operation}"
        if operation == "bn":
            x = BatchNormalization(momentum=spec.bn_momentum, epsilon=spec.bn_epsilon, name=layer_name)(x)
        else:
            x = {"relu": layers.ReLU, "maxout": Maxout}[operation](name=layer_name)(x)
    return x


def convolution(x: Tensor, filters: int, kernel: int, stride: int, name: str) -> Tensor:
    """A convolution without bias, padded by (kernel - 1) / 2 on every side at any stride, as in the authors' Caffe."""
    if stride > 1:  # Keras' "same" would pad even sizes on one side only
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer=he_normal(),
        name=f"{name}_conv",
    )(x)


def _convolutions(spec: NetSpec, filters: int, stride: int) -> list[tuple[int, int, int]]:
    """(filters, kernel, stride) of each convolution of a branch (Fig. 5)."""
    if spec.block == "basic":
        return [(filters, 3, stride), (filters, 3, 1)]
    first, second = (stride, 1) if spec.stride_in == "1x1" else (1, stride)
    return [(filters, 1, first), (filters, 3, second), (filters * EXPANSION["bottleneck"], 1, 1)]


def block(
    x: Tensor,
    spec: NetSpec,
    filters: int,
    stride: int,
    name: str,
    drop_rate: float = 0.0,
    preactivated: bool = False,
) -> Tensor:
    """One block, from ``[batch, height, width, c]`` to ``[batch, ceil(height/stride), ceil(width/stride), c']``.

    ``c'`` is ``filters``, or four times ``filters`` in a bottleneck. ``preactivated`` says that normalization and ReLU
    were already applied to ``x``, as they are to the stem's output. The output layer is named ``{name}_out`` in every
    placement.
    """
    place = PLACEMENTS[spec.placement]
    convolutions = _convolutions(spec, filters, stride)
    shortcut = x
    changes = stride > 1 or shortcut.shape[-1] != convolutions[-1][0]
    if place.before and not preactivated:
        x = normalize_activate(x, place.before, spec, f"{name}_preact")
        if changes:
            shortcut = x  # where dimensions change, both paths start after the activation (He et al. 2016, appendix)
    if stride > 1:
        shortcut = subsample(shortcut, stride, f"{name}_0")
    pieces = 2 if spec.activation == "maxout" else 1
    between = tuple("maxout" if operation == "relu" and pieces == 2 else operation for operation in place.between)
    for i, (channels, kernel, step) in enumerate(convolutions, start=1):
        last = i == len(convolutions)
        if kernel == 1 and step > 1:  # narrow strided 1x1 convolutions crash oneDNN on AVX2
            x, step = shortcut, 1
        if last and spec.dropout:
            x = layers.Dropout(spec.dropout, name=f"{name}_dropout")(x)
        x = convolution(x, channels if last else channels * pieces, kernel, step, f"{name}_{i}")
        x = normalize_activate(x, place.last if last else between, spec, f"{name}_{i}")
    if spec.residual:
        if drop_rate or spec.stochastic_depth:
            x = StochasticDepth(drop_rate, name=f"{name}_drop")(x)
        sum_name = f"{name}_add" if place.after else f"{name}_{OUTPUT}"
        x = layers.Add(name=sum_name)(summands(shortcut, x, spec, name, changes, "bn" in place.last))
    return normalize_activate(x, place.after, spec, name, last_name=f"{name}_{OUTPUT}")


def block_loop(
    x: Tensor,
    spec: NetSpec,
    filters: int,
    stride: int,
    name: str,
    drop_rates: list[float],
    preactivated: bool = False,
) -> Tensor:
    """Blocks of the same structure, one per drop rate, as a single layer with the name of the last block's output."""
    template_input = keras.Input(x.shape[1:], dtype=x.dtype)
    template = block(template_input, spec, filters, stride, TEMPLATE, drop_rates[0], preactivated)
    rates = drop_rates if spec.stochastic_depth else None
    loop = BlockLoop(keras.Model(template_input, template), len(drop_rates), rates, spec.remat, name=f"{name}_{OUTPUT}")
    return loop(x)
