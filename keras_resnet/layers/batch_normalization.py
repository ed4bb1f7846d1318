"""Batch normalization by TensorFlow's fused kernel."""

import keras

from keras_resnet.typing import Tensor

FUSED_DTYPES = ("float32", "bfloat16", "float16")


@keras.saving.register_keras_serializable("keras_resnet", "BatchNormalization")
class BatchNormalization(keras.layers.BatchNormalization):
    """``keras.layers.BatchNormalization``, computed by the op ``FusedBatchNormV3`` where that applies.

    The op applies on the TensorFlow backend to float inputs ``[batch, height, width, channels]`` that are normalized
    over the last axis. Keras' own computation is used for masks, for training with ``synchronized``, for
    renormalization, for other axes, ranks, dtypes and backends, and for maps of one position. Outputs, gradients and
    moving statistics equal those of Keras' layer up to rounding; statistics are float32 in mixed precision. Arguments
    and errors are those of Keras' layer.
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Tensor | None = None) -> Tensor:
        learning = bool(training and self.trainable)
        if mask is not None or not self.fusible(inputs) or (learning and self.synchronized):
            return super().call(inputs, training=training, mask=mask)
        return self._fused(inputs, learning)

    def fusible(self, inputs: Tensor) -> bool:
        """Whether the fused op applies to ``inputs``."""
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and not self.renorm
            and self.variable_dtype == "float32"
            and keras.backend.standardize_dtype(inputs.dtype) in FUSED_DTYPES
            and tuple(inputs.shape[1:3]) != (1, 1)
        )

    def _fused(self, inputs, training: bool):
        import tensorflow as tf

        channels = inputs.shape[-1]
        normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value if self.scale else tf.ones([channels]),
            offset=self.beta.value if self.center else tf.zeros([channels]),
            mean=tf.zeros([0]) if training else self.moving_mean.value,
            variance=tf.zeros([0]) if training else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), "float32")
            variance *= (count - 1) / count  # the op returns the unbiased variance; Keras averages the biased one
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving.value * self.momentum + batch * (1 - self.momentum))
        return tf.cast(normalized, self.compute_dtype)


# The module in files: without this package, Keras finds its own layer there; with it, the registered one.
BatchNormalization.__module__ = keras.layers.BatchNormalization.__module__
