"""Shortcut connections: options A, B and C (Sec. 3.3, 4.1) and the highway gate.

A block with a stride subsamples its input before it calls these functions.
"""

from dataclasses import dataclass

import keras
from keras import layers

from keras_resnet.errors import InputError
from keras_resnet.layers import BatchNormalization
from keras_resnet.specs import NetSpec
from keras_resnet.typing import Tensor

HIGHWAY_BIAS = -2.0  # Srivastava et al. 2015: gates start almost closed


@dataclass(frozen=True)
class Shortcut:
    """Which blocks project their input, and whether a highway gate weighs the shortcut against the branch."""

    projects_changes: bool = False  # blocks that change dimensions
    projects_all: bool = False
    gated: bool = False


SHORTCUTS = {
    "A": Shortcut(),
    "B": Shortcut(projects_changes=True),
    "C": Shortcut(projects_all=True),
    "highway": Shortcut(gated=True),
}


def summands(
    x: Tensor, branch: Tensor, spec: NetSpec, name: str, changes: bool, normalized: bool
) -> tuple[Tensor, Tensor]:
    """The two maps that a block adds: its shortcut from ``x``, and its branch, which a highway network gates.

    Args:
        x: the block's input ``[batch, height, width, c]``, subsampled if the block has a stride.
        branch: the output of its convolutions, ``[batch, height, width, c']``.
        spec: the network.
        name: the block's name, with which the names of all layers begin.
        changes: whether the block has a stride or ``c`` and ``c'`` differ.
        normalized: whether a projection is followed by batch normalization.
    """
    option, channels = SHORTCUTS[spec.shortcut], branch.shape[-1]
    if option.projects_all or (option.projects_changes and changes):
        shortcut = projection(x, channels, spec, name, normalized)
    else:
        shortcut = identity(x, channels, spec.zero_channels, name)
    return shortcut, highway_gate(x, shortcut, branch, name) if option.gated else branch


def he_normal() -> keras.initializers.Initializer:
    """A new initializer with a seed of its own: zero-mean normal of variance 2 / fan-in, not truncated."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def subsample(x: Tensor, stride: int, name: str) -> Tensor:
    """Every ``stride``-th position of the map: all that a 1x1 convolution of that stride reads."""
    # A pool of one position is a strided slice; on TensorFlow its gradient is several times faster.
    return layers.AveragePooling2D(1, stride, name=f"{name}_subsample")(x)


def identity(x: Tensor, channels: int, zero_channels: str, name: str) -> Tensor:
    """The parameter-free shortcut: the input itself, padded with zero channels where there are more ``channels``."""
    new = channels - x.shape[-1]
    if new < 0:
        raise InputError(f"Shortcut A appends channels and cannot go from {x.shape[-1]} to {channels}: use B.")
    if new == 0:
        return x
    before = new // 2 if zero_channels == "both_sides" else 0
    # Keras pads the last two axes in this format, so these zeros are channels.
    zeros = layers.ZeroPadding2D(((0, 0), (before, new - before)), "channels_first", name=f"{name}_0_identity")
    return zeros(x)


def projection(x: Tensor, channels: int, spec: NetSpec, name: str, normalized: bool) -> Tensor:
    """The projection W_s of Eqn. (2): a 1x1 convolution, followed by batch normalization if ``normalized``."""
    x = layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=he_normal(), name=f"{name}_0_conv")(x)
    if normalized:
        x = BatchNormalization(momentum=spec.bn_momentum, epsilon=spec.bn_epsilon, name=f"{name}_0_bn")(x)
    return x


def highway_gate(x: Tensor, shortcut: Tensor, branch: Tensor, name: str) -> Tensor:
    """T(x) * (F(x) - s), which is added to the shortcut s; T is a learned 1x1 sigmoid gate."""
    gate = layers.Conv2D(
        branch.shape[-1],
        1,
        activation="sigmoid",
        kernel_initializer=he_normal(),
        bias_initializer=keras.initializers.Constant(HIGHWAY_BIAS),
        name=f"{name}_0_gate",
    )(x)
    change = layers.Subtract(name=f"{name}_change")([branch, shortcut])
    return layers.Multiply(name=f"{name}_gated")([gate, change])
