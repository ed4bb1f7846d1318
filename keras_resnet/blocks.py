"""The one block builder: basic or bottleneck, plain or residual, in every placement of normalization and ReLU."""

from dataclasses import dataclass

import keras
from keras import layers

from keras_resnet.layers import BatchNormalization, BlockLoop, Maxout, StochasticDepth
from keras_resnet.shortcuts import JOINS, he_normal, subsample
from keras_resnet.specs import EXPANSION, NetSpec
from keras_resnet.structure import OUTPUT, TEMPLATE


@dataclass(frozen=True)
class Placement:
    """What stands before a branch, between its convolutions, after the last one, and after the addition."""

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


def normalize_activate(x, kinds: tuple[str, ...], spec: NetSpec, name: str, last_name: str | None = None):
    """Apply ``kinds`` in turn as layers ``{name}_bn`` and ``{name}_relu``; ``last_name`` renames the last one."""
    for i, kind in enumerate(kinds):
        layer_name = last_name if last_name and i == len(kinds) - 1 else f"{name}_{kind}"
        if kind == "bn":
            x = BatchNormalization(momentum=spec.bn_momentum, epsilon=spec.bn_epsilon, name=layer_name)(x)
        else:
            x = {"relu": layers.ReLU, "maxout": Maxout}[kind](name=layer_name)(x)
    return x


def convolution(x, filters: int, kernel: int, stride: int, name: str):
    """An unbiased convolution that pads (kernel - 1) / 2 on every side, at any stride, as the authors' Caffe."""
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


def block(x, spec: NetSpec, filters: int, stride: int, name: str, drop_rate: float = 0.0, preactivated: bool = False):
    """One block, from ``[batch, height, width, c]`` to ``[batch, ceil(height/stride), ceil(width/stride), c']``.

    ``c'`` is ``filters``, four times that in a bottleneck. ``preactivated`` says that ``x`` already went through
    normalization and ReLU, as the stem's output. The output's layer is named ``{name}_out`` in every placement.
    """
    place = PLACEMENTS[spec.placement]
    convolutions = _convolutions(spec, filters, stride)
    shortcut = x
    if place.before and not preactivated:
        x = normalize_activate(x, place.before, spec, f"{name}_preact")
        if stride > 1 or shortcut.shape[-1] != convolutions[-1][0]:
            shortcut = x  # where dimensions change both paths start after the activation (He et al. 2016, appendix)
    if stride > 1:
        shortcut = subsample(shortcut, stride, f"{name}_0")
    pieces = 2 if spec.activation == "maxout" else 1
    between = tuple("maxout" if kind == "relu" and pieces == 2 else kind for kind in place.between)
    for i, (channels, kernel, step) in enumerate(convolutions, start=1):
        last = i == len(convolutions)
        if kernel == 1 and step > 1:  # reads what the shortcut does, and narrow strided ones crash oneDNN on AVX2
            x, step = shortcut, 1
        if last and spec.dropout:
            x = layers.Dropout(spec.dropout, name=f"{name}_dropout")(x)
        x = convolution(x, channels if last else channels * pieces, kernel, step, f"{name}_{i}")
        x = normalize_activate(x, place.last if last else between, spec, f"{name}_{i}")
    if spec.residual:
        if drop_rate or spec.stochastic_depth:
            x = StochasticDepth(drop_rate, name=f"{name}_drop")(x)
        sum_name = f"{name}_add" if place.after else f"{name}_{OUTPUT}"
        x = JOINS[spec.shortcut](shortcut, x, stride, spec, name, sum_name, "bn" in place.last)
    return normalize_activate(x, place.after, spec, name, last_name=f"{name}_{OUTPUT}")


def block_loop(
    x, spec: NetSpec, filters: int, stride: int, name: str, drop_rates: list[float], preactivated: bool = False
):
    """Blocks of one structure, one for each drop rate, as a single layer named as the last block's output."""
    template_input = keras.Input(x.shape[1:], dtype=x.dtype)
    template = block(template_input, spec, filters, stride, TEMPLATE, drop_rates[0], preactivated)
    rates = drop_rates if spec.stochastic_depth else None
    loop = BlockLoop(keras.Model(template_input, template), len(drop_rates), rates, spec.remat, name=f"{name}_{OUTPUT}")
    return loop(x)
