"""A detector's two heads: the paper's C4 (Sec. 4.3), and the feature pyramid, FPN (Lin et al. 2017).

A head says which layers all regions share, at which strides their maps lie, and what becomes of a pooled region. The
detector is the same for both (:class:`~keras_resnet.detection.FasterRCNN`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_resnet.detection.detector_specs import STRIDES, HeadName
from keras_resnet.detection.roi_pooling import SIZE
from keras_resnet.models import pyramid
from keras_resnet.network import Network
from keras_resnet.structure import POOLS
from keras_resnet.typing import Tensor

PYRAMID_CHANNELS, PYRAMID_SIZE, DENSE_UNITS = 256, 7, 1024  # at full width; Lin et al. 2017, Sec. 3 and 4.2
PYRAMID_STRIDES = STRIDES["fpn"]


@dataclass(frozen=True, kw_only=True)
class HeadParts:
    """What a detector asks of its head.

    Fields:
        shared: from images ``[batch, height, width, 3]`` of any size to one feature map, or a list of them.
        head: from pooled regions ``[regions, size, size, channels]`` to features ``[regions, width]``.
        size: bins along each side of a region.
        strides: of each map, pixels between neighboring cells.
        pooled_maps: from how many of the maps, the first ones, regions are pooled.
        rpn_channels: of the convolution of the proposal network.
    """

    shared: keras.Model
    head: keras.Model
    size: int
    strides: tuple[int, ...] = (16,)
    pooled_maps: int = 1
    rpn_channels: int = 512


def c4_head(whole: Network) -> HeadParts:
    """conv1 to conv4_x are shared, and each region goes through conv5_x (Sec. 4.3)."""
    middle = whole.stages[2].output
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLS["avg"], dtype="float32")(whole.output)
    shared = keras.Model(whole.input, middle, name="shared")
    return HeadParts(shared=shared, head=keras.Model(middle, pooled, name="head"), size=SIZE)


def fpn_head(whole: Network) -> HeadParts:
    """All stages and a feature pyramid are shared, and each region goes through two dense layers (Lin et al. 2017).

    The maps are P2 to P6, of 256 channels; these and the dense layers' units follow the network's ``width``. Regions
    are pooled from P2 to P5, in 7 x 7 bins; P6, every second cell of P5, has proposals only.
    """
    channels, units = whole.spec.channels(PYRAMID_CHANNELS), whole.spec.channels(DENSE_UNITS)
    top: Tensor = None
    maps: list[Tensor] = []
    for name, features in reversed(pyramid(whole).output.items()):
        level = name[1:]
        lateral = _convolution(channels, 1, f"fpn_lateral{level}")(features)
        top = lateral if top is None else AddUpsampled(name=f"fpn_sum{level}")([lateral, top])
        maps.insert(0, _convolution(channels, 3, f"fpn_output{level}")(top))
    maps.append(keras.layers.MaxPooling2D(1, 2, name="fpn_output6")(maps[-1]))
    region = keras.Input((PYRAMID_SIZE, PYRAMID_SIZE, channels))
    x = keras.layers.Flatten(name="flatten")(region)
    for name in ("fc6", "fc7"):
        x = keras.layers.Dense(units, activation="relu", kernel_initializer="lecun_uniform", name=name)(x)
    x = keras.layers.Activation("linear", dtype="float32", name="features")(x)
    return HeadParts(
        shared=keras.Model(whole.input, maps, name="shared"),
        head=keras.Model(region, x, name="head"),
        size=PYRAMID_SIZE,
        strides=PYRAMID_STRIDES,
        pooled_maps=len(PYRAMID_STRIDES) - 1,
        rpn_channels=channels,
    )


HEADS: dict[HeadName, Callable[[Network], HeadParts]] = {"c4": c4_head, "fpn": fpn_head}


def _convolution(channels: int, size: int, name: str) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(channels, size, padding="same", kernel_initializer="lecun_uniform", name=name)


@keras.saving.register_keras_serializable("keras_resnet")
class AddUpsampled(keras.layers.Layer):
    """The sum of a map and of one of half its resolution, each of whose cells counts for two by two (FPN, Fig. 3).

    From ``[batch, height, width, channels]`` and ``[batch, ceil(height / 2), ceil(width / 2), channels]`` to the shape
    of the first.
    """

    def call(self, inputs: list[Tensor]) -> Tensor:
        fine, coarse = inputs
        batch, height, width, channels = ops.shape(coarse)
        # concatenated and reshaped, since oneDNN complains of the integers in the gradient of ops.repeat
        wide = ops.reshape(ops.concatenate([coarse, coarse], axis=3), (batch, height, 2 * width, channels))
        twice = ops.reshape(ops.concatenate([wide, wide], axis=2), (batch, 2 * height, 2 * width, channels))
        return fine + twice[:, : ops.shape(fine)[1], : ops.shape(fine)[2]]

    def compute_output_spec(self, inputs: list[Any]) -> Any:
        return keras.KerasTensor(inputs[0].shape, inputs[0].dtype)
