"""The paper's update against NumPy and against Keras' L2 regularizer."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.training import SGD
from keras_resnet.weights import named_arrays


def test_update_is_momentum_on_gradient_plus_decay(rng):
    w, v = rng.normal(size=5), np.zeros(5)
    variable = keras.Variable(w.astype("float32"), name="kernel")
    optimizer = SGD(0.1, momentum=0.9, l2=0.01)
    for step in range(6):
        if step == 3:
            optimizer.learning_rate = 0.01  # v <- m v + lr g: a fall of the rate does not touch the old momentum
        gradient = rng.normal(size=5)
        rate = 0.1 if step < 3 else 0.01
        v = 0.9 * v + rate * (gradient + 0.01 * w)
        w = w - v
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [variable])
        np.testing.assert_allclose(variable.numpy(), w, atol=1e-6)


def test_decay_equals_keras_regularizer_of_half_the_coefficient(rng):
    """``keras.regularizers.L2(c)`` adds c w^2, so c = 5e-5 is a decay of 1e-4 (see ``paper.md``)."""
    x, y = rng.normal(size=(16, 6)).astype("float32"), rng.integers(0, 3, 16)

    def net(regularizer):
        keras.utils.set_random_seed(1)
        return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3, kernel_regularizer=regularizer)])

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ours, theirs = net(None), net(keras.regularizers.L2(0.05))
    ours.compile(SGD(0.1, l2=0.1), loss)
    theirs.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    for _ in range(5):
        ours.train_on_batch(x, y)
        theirs.train_on_batch(x, y)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.long
def test_only_kernels_decay():
    """Also in looped networks, whose kernels are stacked."""
    for unroll in (True, False):
        model = keras_resnet.ResNet20(unroll=unroll, shortcut="highway")
        before = named_arrays(model)
        trainable = model.trainable_variables
        SGD(1.0, l2=0.25).apply([keras.ops.zeros(v.shape) for v in trainable], trainable)
        for name, value in named_arrays(model).items():
            factor = 0.75 if name.endswith("/kernel") else 1
            np.testing.assert_allclose(value, factor * before[name], rtol=1e-6, err_msg=name)


def test_config_round_trip():
    config = keras.optimizers.serialize(SGD(0.2, l2=0.5))
    again = keras.optimizers.deserialize(config)
    assert isinstance(again, SGD)
    assert again.l2 == 0.5
    assert float(again.learning_rate) == pytest.approx(0.2)
