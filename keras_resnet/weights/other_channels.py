"""Trained weights for images of other channels than the three they were trained on."""

from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from keras_resnet.errors import InputError, one_of
from keras_resnet.structure import FIRST_KERNEL
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.trained_weights import TrainedWeights
from keras_resnet.wording import counted

Channels = Literal["adapt"] | None
RGB = 3


def for_channels(weights: TrainedWeights, channels: int) -> TrainedWeights:
    """``weights`` whose first convolution reads ``channels`` channels, which their ``source`` then says.

    For one channel the kernel is summed over red, green and blue, so that the network gives for ``x`` what it gave for
    ``[x, x, x]``. For others red, green and blue are repeated in turn, and scaled by 3 / ``channels``, so that sums
    keep their size. Means and deviations of the preprocessing are averaged, or repeated in turn. The new channels are
    in the order red, green, blue, whatever the order of the trained ones was.

    Args:
        weights: of a network that reads three channels.
        channels: of the images, such as 1 for grey ones or 4 for those with near infrared.

    Raises:
        InputError: the weights read other than three channels.
    """
    if weights.channels == channels:
        return weights
    if weights.channels != RGB:
        raise InputError(f"channels='adapt' starts from three channels, and {weights.name} reads {weights.channels}.")
    kernel, before = weights.arrays[FIRST_KERNEL], weights.preprocessing
    if before is not None and before.channels == "BGR":
        kernel = kernel[:, :, ::-1]
    if channels == 1:
        kernel, how = kernel.sum(axis=2, keepdims=True), "summed over its three"
    else:
        kernel = kernel[:, :, np.arange(channels) % RGB] * np.float32(RGB / channels)
        how = f"its three repeated and scaled by {RGB}/{channels}"
    note = f"first convolution adapted to {counted(channels, 'channel')}: {how}"
    shape = weights.input_shape
    return replace(
        weights,
        arrays=weights.arrays | {FIRST_KERNEL: kernel.astype(weights.arrays[FIRST_KERNEL].dtype)},
        preprocessing=None if before is None else _preprocessing(before, channels),
        source="; ".join(filter(None, (weights.source, note))),
        input_shape=None if shape is None else (*shape[:-1], channels),
    )


def check_channels(channels: Channels, weights: TrainedWeights | None) -> None:
    """Raise :class:`InputError` unless a builder can do what ``channels`` asks for with ``weights``."""
    if channels is None:
        return
    one_of("channels", channels, get_args(get_args(Channels)[0]))
    if weights is None:
        raise InputError("channels='adapt' changes trained weights: give weights too, or leave channels out.")


def _preprocessing(before: Preprocessing, channels: int) -> Preprocessing:
    order = slice(None, None, -1 if before.channels == "BGR" else 1)
    mean = np.broadcast_to(before.mean, (*before.mean.shape[:-1], RGB))[..., order]
    std = np.broadcast_to(np.asarray(before.std), RGB)[order]
    if channels == 1:
        return Preprocessing(mean.mean(axis=-1, keepdims=True), (float(std.mean()),), crop=before.crop)
    repeated = np.arange(channels) % RGB
    return Preprocessing(mean[..., repeated], tuple(std[repeated].tolist()), crop=before.crop)
