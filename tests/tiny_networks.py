"""Small random networks and explicit matrices, with which the instruments are compared."""

import numpy as np
import tensorflow as tf
from conftest import randomize

import keras_resnet


def tiny(rng, blocks=(1, 1), filters=(2, 4), size=8, **changes):
    """A CIFAR network of a few hundred weights; normalization and biases random too."""
    model = keras_resnet.ResNet20(blocks=blocks, filters=filters, input_shape=(size, size, 3), **changes)
    randomize(model, rng)
    return model


def batch(rng, model, count=6):
    images = rng.normal(size=(count, *model.input_shape[1:])).astype(np.float32)
    return images, rng.integers(0, model.output_shape[-1], count)


def matrix_of(function, shape):
    """The matrix of a linear ``function`` of ``[batch, *shape]``, with one column per input."""
    size = int(np.prod(shape))
    basis = np.eye(size, dtype=np.float32).reshape(size, *shape)
    return np.asarray(function(basis)).reshape(size, -1).T


def jacobians(function, x):
    """The Jacobian of ``function`` at each input of ``x``, one row per output, by TensorFlow's ``batch_jacobian``."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reshape(function(x), [len(x), -1])
    return tape.batch_jacobian(y, x).numpy().reshape(*y.shape, -1)


def jacobian(function, x):
    """The Jacobian of ``function`` at one input ``[1, ...]``."""
    return jacobians(function, x)[0]
