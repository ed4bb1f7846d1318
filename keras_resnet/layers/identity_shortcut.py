"""Shortcut option A as one layer, for files of earlier versions; networks are now built from Keras' own layers."""

from typing import Any

import keras
from keras import ops

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor


@keras.saving.register_keras_serializable("keras_resnet")
class IdentityShortcut(keras.layers.Layer):
    """Every ``stride``-th position of the map, padded with zero channels to ``filters`` channels; no parameters.

    From ``[batch, height, width, channels]`` to ``[batch, ceil(height / stride), ceil(width / stride), filters]``. The
    new channels come ``"after"`` the old ones, or half of them on ``"both_sides"``, as ``zero_channels`` says.
    """

    def __init__(self, filters: int, stride: int = 1, zero_channels: str = "after", **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride
        self.zero_channels = zero_channels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if input_shape[-1] > self.filters:  # type: ignore[operator]  # channels are known
            raise InputError(
                f"Shortcut A appends channels and cannot go from {input_shape[-1]} to {self.filters}: use B."
            )

    def call(self, inputs: Tensor) -> Tensor:
        new = self.filters - inputs.shape[-1]
        before = new // 2 if self.zero_channels == "both_sides" else 0
        # A pool of one position is a strided slice; on TensorFlow its gradient is several times faster.
        kept = ops.average_pool(inputs, 1, self.stride, "valid") if self.stride > 1 else inputs
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (before, new - before))) if new else kept

    def get_config(self) -> dict[str, Any]:
        fields = {"filters": self.filters, "stride": self.stride, "zero_channels": self.zero_channels}
        return {**super().get_config(), **fields}
