"""The wrongly classified examples of a validation with the highest losses."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.typing import Tensor

COUNT = 16


class WorstMistakes:
    """Collects the ``COUNT`` wrongly classified images with the highest losses; each replica collects its own.

    Args:
        shape: of an image, ``(height, width, channels)``.
    """

    def __init__(self, shape: tuple[int, ...]):
        def variable(shape, dtype=tf.float32):
            return tf.Variable(tf.zeros(shape, dtype), trainable=False, aggregation=tf.VariableAggregation.NONE)

        self.images, self.losses = variable([COUNT, *shape]), variable([COUNT])
        self.labels, self.guesses = variable([COUNT], tf.int32), variable([COUNT], tf.int32)

    def reset(self) -> None:
        """Drop all that was collected."""
        self.losses.assign(tf.zeros_like(self.losses))

    def update(
        self, images: Tensor, labels: Tensor, scores: Tensor, losses: Tensor, weights: Tensor | None = None
    ) -> None:
        """Collect the mistakes of a batch; a loss of zero stands for no mistake."""
        guesses = tf.argmax(scores, axis=-1, output_type=tf.int32)
        labels = tf.cast(labels, tf.int32)
        wrong = tf.cast(guesses != labels, tf.float32) * (1.0 if weights is None else weights)
        losses = tf.where(wrong > 0, losses, 0)
        order = tf.math.top_k(
            losses, tf.minimum(COUNT, tf.size(losses))
        ).indices  # only a few, so that few images are copied
        batch = [tf.gather(values, order) for values in (losses, images, labels, guesses)]
        variables = (self.losses, self.images, self.labels, self.guesses)
        merged = [tf.concat([old, new], 0) for old, new in zip(variables, batch, strict=True)]
        best = tf.math.top_k(merged[0], COUNT).indices
        for variable, values in zip(variables, merged, strict=True):
            variable.assign(tf.gather(values, best))

    def values(self, local: Callable[[tf.Variable], np.ndarray]) -> tuple[np.ndarray, ...]:
        """Images, labels, guesses and losses, worst first; ``local`` reads a variable, see :meth:`Step.local`."""
        valid = local(self.losses) > 0
        return tuple(local(v)[valid] for v in (self.images, self.labels, self.guesses, self.losses))
