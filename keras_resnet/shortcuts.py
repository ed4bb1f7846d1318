"""How a block's input joins its branch: options A, B, C (Sec. 3.3, 4.1) and the highway gate.

Where a block has a stride, the joins are given the input already subsampled.
"""

import keras
from keras import layers

from keras_resnet.errors import InputError
from keras_resnet.layers import BatchNormalization
from keras_resnet.specs import NetSpec

HIGHWAY_BIAS = -2.0  # Srivastava et al. 2015: gates start almost closed


def he_normal():
    """A new initializer with its own draw: zero-mean normal of variance 2 / fan-in, not truncated."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


def subsample(x, stride: int, name: str):
    """Every ``stride``-th position of the map: all that a 1x1 convolution of that stride reads."""
    # A pool of one position is a strided slice; on TensorFlow its gradient is several times faster.
    return layers.AveragePooling2D(1, stride, name=f"{name}_subsample")(x)


def identity(x, channels: int, spec: NetSpec, name: str):
    """Option A's shortcut: the input itself, with zero channels where dimensions change."""
    new = channels - x.shape[-1]
    if new < 0:
        raise InputError(f"Shortcut A appends channels and cannot go from {x.shape[-1]} to {channels}: use B.")
    if new == 0:
        return x
    before = new // 2 if spec.zero_channels == "both_sides" else 0
    # Keras pads the last two axes in this format, so these zeros are channels.
    zeros = layers.ZeroPadding2D(((0, 0), (before, new - before)), "channels_first", name=f"{name}_0_identity")
    return zeros(x)


def projection(x, channels: int, spec: NetSpec, name: str, normalized: bool):
    """Eqn. (2)'s W_s: a 1x1 convolution, normalized where the branch's last convolution is."""
    x = layers.Conv2D(channels, 1, use_bias=False, kernel_initializer=he_normal(), name=f"{name}_0_conv")(x)
    if normalized:
        x = BatchNormalization(momentum=spec.bn_momentum, epsilon=spec.bn_epsilon, name=f"{name}_0_bn")(x)
    return x


def option_a(x, branch, stride, spec, name, sum_name, normalized):
    """Parameter-free shortcuts everywhere."""
    return layers.Add(name=sum_name)([identity(x, branch.shape[-1], spec, name), branch])


def option_b(x, branch, stride, spec, name, sum_name, normalized):
    """Projections where dimensions change, identities elsewhere."""
    if stride == 1 and x.shape[-1] == branch.shape[-1]:
        return layers.Add(name=sum_name)([x, branch])
    return option_c(x, branch, stride, spec, name, sum_name, normalized)


def option_c(x, branch, stride, spec, name, sum_name, normalized):
    """Projections in every block."""
    shortcut = projection(x, branch.shape[-1], spec, name, normalized)
    return layers.Add(name=sum_name)([shortcut, branch])


def highway(x, branch, stride, spec, name, sum_name, normalized):
    """s + T(x) * (F(x) - s), with s option A's shortcut and T a learned 1x1 sigmoid gate."""
    gate = layers.Conv2D(
        branch.shape[-1],
        1,
        activation="sigmoid",
        kernel_initializer=he_normal(),
        bias_initializer=keras.initializers.Constant(HIGHWAY_BIAS),
        name=f"{name}_0_gate",
    )(x)
    shortcut = identity(x, branch.shape[-1], spec, name)
    change = layers.Subtract(name=f"{name}_change")([branch, shortcut])
    return layers.Add(name=sum_name)([shortcut, layers.Multiply(name=f"{name}_gated")([gate, change])])


JOINS = {"A": option_a, "B": option_b, "C": option_c, "highway": highway}
