"""Maxout (Goodfellow et al. 2013), a regularizer that the paper mentions but does not use (Sec. 4.2)."""

import keras
from keras import ops

from keras_resnet.typing import Tensor


@keras.saving.register_keras_serializable("keras_resnet")
class Maxout(keras.layers.Layer):
    """The maximum of two linear pieces, from ``[..., 2c]`` to ``[..., c]``: of the channels i and c + i."""

    def call(self, inputs: Tensor) -> Tensor:
        channels = inputs.shape[-1] // 2
        return ops.maximum(inputs[..., :channels], inputs[..., channels:])
