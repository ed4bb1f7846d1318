"""Stochastic depth (Huang et al. 2016)."""

from typing import Any

import keras
from keras import ops

from keras_resnet.typing import Tensor


@keras.saving.register_keras_serializable("keras_resnet")
class StochasticDepth(keras.layers.Layer):
    """Drops a sample's whole branch with probability ``rate`` in training and rescales the others; identity in testing.

    The rate is a non-trainable weight, so that blocks that differ only in their rate can share a loop.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.initial_rate = float(rate)
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.rate = self.add_weight(
            name="rate",
            shape=(),
            trainable=False,
            autocast=False,
            initializer=keras.initializers.Constant(self.initial_rate),
        )

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if not training:
            return inputs
        kept = 1 - ops.convert_to_tensor(self.rate)
        draw = keras.random.uniform((ops.shape(inputs)[0], 1, 1, 1), dtype=kept.dtype, seed=self.seed_generator)
        return inputs * ops.cast(ops.where(draw < kept, 1 / kept, 0.0), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.initial_rate}
