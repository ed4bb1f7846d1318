"""Shortcut option A as one layer, which files of earlier versions hold; networks are built of Keras' own layers."""

import keras
from keras import ops

from keras_resnet.errors import InputError


@keras.saving.register_keras_serializable("keras_resnet")
class IdentityShortcut(keras.layers.Layer):
    """Every ``stride``-th position of the map, with zero channels up to ``filters``; no parameters.

    Input ``[batch, height, width, channels]``, output ``[batch, ceil(height / stride), ceil(width / stride),
    filters]``. ``zero_channels`` puts the new channels ``"after"`` the old ones or half on ``"both_sides"``.
    """

    def __init__(self, filters: int, stride: int = 1, zero_channels: str = "after", **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.stride = stride
        self.zero_channels = zero_channels

    def build(self, input_shape):
        if input_shape[-1] > self.filters:
            raise InputError(
                f"Shortcut A appends channels and cannot go from {input_shape[-1]} to {self.filters}: use B."
            )

    def call(self, inputs):
        new = self.filters - inputs.shape[-1]
        before = new // 2 if self.zero_channels == "both_sides" else 0
        # A pool of one position is a strided slice; on TensorFlow its gradient is several times faster.
        kept = ops.average_pool(inputs, 1, self.stride, "valid") if self.stride > 1 else inputs
        return ops.pad(kept, ((0, 0), (0, 0), (0, 0), (before, new - before))) if new else kept

    def get_config(self):
        own = {"filters": self.filters, "stride": self.stride, "zero_channels": self.zero_channels}
        return {**super().get_config(), **own}
