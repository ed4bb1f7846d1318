"""Stochastic depth (Huang et al. 2016)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_resnet")
class StochasticDepth(keras.layers.Layer):
    """Zeroes a sample's whole branch with probability ``rate`` in training and rescales the rest; identity in testing.

    The rate is a non-trainable weight, so that blocks which differ in nothing else can share one loop.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.initial_rate = float(rate)
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        self.rate = self.add_weight(
            name="rate",
            shape=(),
            trainable=False,
            autocast=False,
            initializer=keras.initializers.Constant(self.initial_rate),
        )

    def call(self, inputs, training=None):
        if not training:
            return inputs
        kept = 1 - ops.convert_to_tensor(self.rate)
        draw = keras.random.uniform((ops.shape(inputs)[0], 1, 1, 1), dtype=kept.dtype, seed=self.seed_generator)
        return inputs * ops.cast(ops.where(draw < kept, 1 / kept, 0.0), inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "rate": self.initial_rate}
