"""Maxout (Goodfellow et al. 2013), a regularizer the paper names and leaves out (Sec. 4.2)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_resnet")
class Maxout(keras.layers.Layer):
    """The maximum of two linear pieces: ``[..., 2c]`` to ``[..., c]``, channel i from channels i and c + i."""

    def call(self, inputs):
        channels = inputs.shape[-1] // 2
        return ops.maximum(inputs[..., :channels], inputs[..., channels:])
