"""Batch normalization's statistics for testing, recomputed after training."""

import keras
import numpy as np

from keras_resnet.layers import BlockLoop


def recalibrate_batch_norm(model: keras.Model, batches, strategy=None) -> int:
    """Set every moving mean and variance to the average over ``batches``, as the authors' released models have them.

    The weights stay; a pass in training mode measures each batch. The variance is that of all batches as one:
    the mean of variance + mean², less the squared mean of means.

    Args:
        model: a network on the TensorFlow backend, with ``keras.layers.BatchNormalization`` or this package's.
        batches: a finite data set of (images, ...), images as in training and batches of equal size; of a
            distributed one each replica measures its part.
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
            moments = []
            for mean, variance in pairs:
                mean, variance = tf.identity(mean.value.read_value()), tf.identity(variance.value.read_value())
                moments += [mean, variance + tf.square(mean)]
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, moments)

        results = strategy.run(on_replica, args=(images,))
        return [strategy.experimental_local_results(result)[0] for result in results]

    traced = vars(model).setdefault("_measures", {})  # once, however often a run judges the same statistics
    measure = traced.setdefault((strategy, *(id(variable) for pair in pairs for variable in pair)), measure)
    count, totals = 0, [0.0] * (2 * len(pairs))
    try:
        for layer in layers:
            layer.momentum = 0.0  # a moving statistic becomes the batch's own
        for batch in batches:
            totals = [total + m.numpy().astype(np.float64) for total, m in zip(totals, measure(batch[0]), strict=True)]
            count += 1
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    if count:
        for (mean, variance), first, second in zip(pairs, totals[::2], totals[1::2], strict=True):
            mean.assign(first / count)
            variance.assign(second / count - np.square(first / count))
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
        by_name = {v.name: v for v in layer.states}
        means = [name for name in by_name if name.endswith("moving_mean")]
        return [(by_name[name], by_name[name.replace("moving_mean", "moving_variance")]) for name in means]
    if isinstance(layer, keras.layers.BatchNormalization):
        return [(layer.moving_mean, layer.moving_variance)]
    return []
