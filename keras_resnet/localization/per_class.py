"""Outputs of each class's own, of which only those of the class in question are ever computed (appendix C)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from keras_resnet.typing import Tensor

NUMBERS = 4  # of a box


@keras.saving.register_keras_serializable("keras_resnet")
class PerClass(keras.layers.Layer):
    """Sibling 1 x 1 convolutions: one logit and four offsets for each class and anchor.

    They are what two convolutions of ``classes x anchors`` and ``classes x anchors x 4`` filters are; but an image asks
    for one class, so that class's filters are gathered and no map of 1,000 classes is made, and no other class's
    filters get a gradient. On features ``[batch, 1, channels]`` and with one anchor they are fully connected layers.

    Args:
        classes: how many.
        anchors: at each position.
    """

    def __init__(self, classes: int, anchors: int = 1, **options: Any):
        super().__init__(**options)
        self.classes, self.anchors = classes, anchors

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights; the last of ``shape`` are channels."""
        per_anchor, channels = (self.classes, self.anchors), shape[-1]

        def weight(name, *sizes):
            kernel = name.endswith("kernel")
            first = keras.initializers.RandomNormal(stddev=0.01) if kernel else "zeros"
            return self.add_weight(shape=(*per_anchor, *sizes), initializer=first, name=name)

        self.score_kernel, self.score_bias = weight("score_kernel", channels), weight("score_bias")
        self.delta_kernel, self.delta_bias = weight("delta_kernel", NUMBERS, channels), weight("delta_bias", NUMBERS)

    def call(self, features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and offsets of every anchor for one class an image.

        Args:
            features: ``[images, positions, channels]``; one image's serve all ``classes``.
            classes: int ``[images]``.

        Returns:
            float32 ``[images, positions x anchors]`` and ``[images, positions x anchors, 4]``.
        """
        features = tf.cast(features, tf.float32)
        images, positions = tf.shape(classes)[0], tf.shape(features)[1]

        def convolved(kernel, bias):
            channels = kernel.shape[-1]
            of_class = tf.reshape(tf.gather(kernel, classes), [images, -1, channels])
            product = tf.matmul(features, of_class, transpose_b=True)
            return product + tf.reshape(tf.gather(bias, classes), [images, 1, -1])

        scores = convolved(self.score_kernel, self.score_bias)
        deltas = convolved(self.delta_kernel, self.delta_bias)
        return tf.reshape(scores, [images, -1]), tf.reshape(deltas, [images, positions * self.anchors, NUMBERS])

    def sampled(self, features: Tensor, classes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
        """The same of some anchors alone, each with the features of its position.

        Args:
            features: ``[images, sampled, channels]``.
            classes: int ``[images]``.
            anchors: int ``[images, sampled]``, below :attr:`anchors`.

        Returns:
            float32 ``[images, sampled]`` and ``[images, sampled, 4]``.
        """
        features = tf.cast(features, tf.float32)
        indices = tf.stack([tf.broadcast_to(classes[:, None], tf.shape(anchors)), anchors], axis=-1)
        scores = tf.reduce_sum(features * tf.gather_nd(self.score_kernel, indices), axis=-1)
        deltas = tf.linalg.matvec(tf.gather_nd(self.delta_kernel, indices), features)
        return scores + tf.gather_nd(self.score_bias, indices), deltas + tf.gather_nd(self.delta_bias, indices)

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return {**super().get_config(), "classes": self.classes, "anchors": self.anchors}
