"""Batch normalization's statistics for testing, recomputed after training."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_resnet.backends import needs_tensorflow
from keras_resnet.layers import BlockLoop
from keras_resnet.structure import weight_of

if TYPE_CHECKING:
    import tensorflow as tf

# Statistics are recalibrated on a tenth of an epoch: at most fifty of the paper's batches, and at least as many batches
# as a moving average of momentum 0.9 amounts to, (1 + 0.9) / (1 - 0.9).
SHARE, MAX_IMAGES, MIN_BATCHES = 0.1, 12_800, 19


def recalibration_batches(images: int, batch_size: int, steps: int) -> int:
    """How many batches recalibrate a network that was trained for ``steps`` of ``batch_size`` on this many images.

    They hold no more images than there are, or than were trained on.
    """
    share = int(min(SHARE * images, MAX_IMAGES)) // batch_size
    return max(1, min(max(share, MIN_BATCHES), images // batch_size, steps))


def recalibrate_batch_norm(
    model: keras.Model, batches: Iterable[tuple], strategy: "tf.distribute.Strategy | None" = None
) -> int:
    """Set every moving mean and variance to the average over ``batches``, as in the authors' released models.

    The weights do not change. A pass in training mode measures each replica's share of each batch. The results are the
    mean and variance of all examples as one batch. They are merged in float64 (Chan, Golub, LeVeque 1979), so that a
    large mean does not hide a small variance, and each share counts by its number of examples. A share whose statistics
    are not finite is left out, as training leaves out a batch with such a loss; if all are, so is the result.

    Args:
        model: a network on the TensorFlow backend, with ``keras.layers.BatchNormalization`` or this package's layer.
        batches: a finite data set of (images, ...), with images as in training. If it is distributed, each replica
            measures its part.
        strategy: the ``tf.distribute`` strategy of ``model`` and ``batches``; the current one if None.

    Returns:
        The number of batches; 0 if there are none, or if there are no statistics to set.

    Raises:
        InputError: Keras does not run on TensorFlow.
    """
    needs_tensorflow("Recalibration of batch normalization", "tf.distribute")
    import tensorflow as tf

    strategy = strategy or tf.distribute.get_strategy()
    layers = _normalizations(model.layers)
    pairs = [pair for layer in model.layers for pair in _statistics(layer)]
    if not pairs:
        return 0
    momenta = [layer.momentum for layer in layers]

    @tf.function(reduce_retracing=True, autograph=False)
    def measure(images):
        def on_replica(images):
            model(images, training=True)
            moments = [tf.reshape(part.value.read_value(), [-1]) for pair in zip(*pairs, strict=True) for part in pair]
            measured = tf.concat([[tf.cast(tf.shape(images)[0], tf.float32)], *moments], axis=0)[None]
            alone = strategy.num_replicas_in_sync == 1
            return measured if alone else tf.distribute.get_replica_context().all_gather(measured, axis=0)

        return strategy.experimental_local_results(strategy.run(on_replica, args=(images,)))[0]

    traced = model.__dict__.setdefault("_measures", {})  # traced once, however often a run recalibrates the model
    measure = traced.setdefault((strategy, *(id(variable) for pair in pairs for variable in pair)), measure)
    count, total = 0, 0.0
    mean = squares = np.zeros(sum(np.prod(moving.shape) for moving, _ in pairs))
    try:
        for layer in layers:
            layer.momentum = 0.0  # moving statistics become those of the batch
        for batch in batches:
            shares = measure(batch[0]).numpy().astype(np.float64)
            if not np.isfinite(shares).all():  # the next batch is added to them times 0, which is NaN again
                _assign(pairs, mean * 0, squares * 0)
            for examples, *moments in shares:
                if examples and np.isfinite(moments).all():
                    share_mean, share_variance = np.split(np.array(moments), 2)
                    total, difference = total + examples, share_mean - mean
                    mean = mean + difference * examples / total
                    squares = squares + examples * (share_variance + difference**2 * (total - examples) / total)
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if count:
        if not total:  # a network whose every batch overflows must not look like one that was never recalibrated
            mean, squares, total = mean + np.nan, squares + np.nan, 1.0
        _assign(pairs, mean, squares / total)
    return count


def _assign(pairs: list[tuple], means: np.ndarray, variances: np.ndarray) -> None:
    """Give the (moving mean, moving variance) ``pairs`` their parts of two flat arrays."""
    ends = np.cumsum([np.prod(moving.shape) for moving, _ in pairs])[:-1]
    for pair, *values in zip(pairs, np.split(means, ends), np.split(variances, ends), strict=True):
        for moving, value in zip(pair, values, strict=True):
            moving.assign(value.reshape(moving.shape))


def _normalizations(layers) -> list:
    normalizations = []
    for layer in layers:
        if isinstance(layer, BlockLoop):
            normalizations += _normalizations(layer.block.layers)
        elif isinstance(layer, keras.layers.BatchNormalization):
            normalizations.append(layer)
    return normalizations


def _statistics(layer) -> list[tuple]:
    """The (moving mean, moving variance) pairs of a layer, stacked in a loop; a frozen layer has none."""
    if not layer.trainable:
        return []
    if isinstance(layer, BlockLoop):
        names = ("moving_mean", "moving_variance")
        return list(zip(*([v for v in layer.states if weight_of(v.name) == name] for name in names), strict=True))
    if isinstance(layer, keras.layers.BatchNormalization):
        return [(layer.moving_mean, layer.moving_variance)]
    return []
