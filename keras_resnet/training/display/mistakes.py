"""The examples of a validation that a network gets most wrong."""

import numpy as np
import tensorflow as tf

KEPT = 16


class WorstMistakes:
    """Keeps the wrongly classified images of highest loss while batches go by; each replica its own.

    Args:
        shape: of an image, ``(height, width, channels)``.
    """

    def __init__(self, shape: tuple[int, ...]):
        def variable(shape, dtype=tf.float32):
            return tf.Variable(tf.zeros(shape, dtype), trainable=False, aggregation=tf.VariableAggregation.NONE)

        self.images, self.losses = variable([KEPT, *shape]), variable([KEPT])
        self.labels, self.guesses = variable([KEPT], tf.int32), variable([KEPT], tf.int32)

    def reset(self) -> None:
        """Forget all."""
        self.losses.assign(tf.zeros_like(self.losses))

    def update(self, images, labels, scores, losses, weights=None) -> None:
        """Take note of a batch; a loss of zero stands for no mistake."""
        guesses = tf.argmax(scores, axis=-1, output_type=tf.int32)
        labels = tf.cast(labels, tf.int32)
        wrong = tf.cast(guesses != labels, tf.float32) * (1.0 if weights is None else weights)
        losses = tf.where(wrong > 0, losses, 0)
        order = tf.math.top_k(losses, tf.minimum(KEPT, tf.size(losses))).indices  # few, before images are copied
        batch = [tf.gather(values, order) for values in (losses, images, labels, guesses)]
        own = (self.losses, self.images, self.labels, self.guesses)
        merged = [tf.concat([mine, new], 0) for mine, new in zip(own, batch, strict=True)]
        best = tf.math.top_k(merged[0], KEPT).indices
        for variable, values in zip(own, merged, strict=True):
            variable.assign(tf.gather(values, best))

    def values(self, local) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Images, labels, guesses and losses, worst first; ``local`` reads a variable."""
        losses = local(self.losses)
        found = losses > 0
        return tuple(local(v)[found] for v in (self.images, self.labels, self.guesses, self.losses))
