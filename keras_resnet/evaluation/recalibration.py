"""Batch normalization's statistics for testing, recomputed after training."""

import keras
import numpy as np

from keras_resnet.layers import BlockLoop
from keras_resnet.structure import weight_of


def recalibrate_batch_norm(model: keras.Model, batches, strategy=None) -> int:
    """Set every moving mean and variance to the average over ``batches``, as the authors' released models have them.

    The weights stay; a pass in training mode measures each replica's share of each batch. Mean and variance are those
    of all examples as one batch, merged in float64 (Chan, Golub, LeVeque 1979), so that no large mean hides a small
    variance, and each share counts by its examples.

    Args:
        model: a network on the TensorFlow backend, with ``keras.layers.BatchNormalization`` or this package's.
        batches: a finite data set of (images, ...), images as in training; of a distributed one each replica
            measures its part.
        strategy: the ``tf.distribute`` strategy of ``model`` and ``batches``; the current one if None.

    Returns:
        How many batches there were; with none, or nothing to set, 0.
    """
    import tensorflow as tf

    strategy = strategy or tf.distribute.get_strategy()
    layers = _normalizations(model.layers)
    pairs = [pair for layer in model.layers for pair in _statistics(layer)]
    if not pairs:
        return 0
    momenta = [layer.momentum for layer in layers]

    @tf.function(reduce_retracing=True)
    def measure(images):
        def on_replica(images):
            model(images, training=True)
            moments = [tf.reshape(part.value.read_value(), [-1]) for pair in zip(*pairs, strict=True) for part in pair]
            found = tf.concat([[tf.cast(tf.shape(images)[0], tf.float32)], *moments], axis=0)[None]
            alone = strategy.num_replicas_in_sync == 1
            return found if alone else tf.distribute.get_replica_context().all_gather(found, axis=0)

        return strategy.experimental_local_results(strategy.run(on_replica, args=(images,)))[0]

    traced = vars(model).setdefault("_measures", {})  # once, however often a run judges the same statistics
    measure = traced.setdefault((strategy, *(id(variable) for pair in pairs for variable in pair)), measure)
    count, total = 0, 0.0
    mean = squares = np.zeros(sum(np.prod(moving.shape) for moving, _ in pairs))
    try:
        for layer in layers:
            layer.momentum = 0.0  # a moving statistic becomes the batch's own
        for batch in batches:
            for examples, *moments in measure(batch[0]).numpy().astype(np.float64):
                if examples:
                    own_mean, own_variance = np.split(np.array(moments), 2)
                    total, difference = total + examples, own_mean - mean
                    mean = mean + difference * examples / total
                    squares = squares + examples * (own_variance + difference**2 * (total - examples) / total)
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if count:
        ends = np.cumsum([np.prod(moving.shape) for moving, _ in pairs])[:-1]
        for pair, *found in zip(pairs, np.split(mean, ends), np.split(squares / total, ends), strict=True):
            for moving, value in zip(pair, found, strict=True):
                moving.assign(value.reshape(moving.shape))
    return count


def _normalizations(layers) -> list:
    found = []
    for layer in layers:
        if isinstance(layer, BlockLoop):
            found += _normalizations(layer.block.layers)
        elif isinstance(layer, keras.layers.BatchNormalization):
            found.append(layer)
    return found


def _statistics(layer) -> list[tuple]:
    """The (moving mean, moving variance) pairs of a layer, stacked ones in a loop; none of a frozen layer."""
    if not layer.trainable:
        return []
    if isinstance(layer, BlockLoop):
        kinds = ([v for v in layer.states if weight_of(v.name) == kind] for kind in ("moving_mean", "moving_variance"))
        return list(zip(*kinds, strict=True))
    if isinstance(layer, keras.layers.BatchNormalization):
        return [(layer.moving_mean, layer.moving_variance)]
    return []
