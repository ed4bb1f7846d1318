"""Training of networks for small images on Keras' JAX backend: many steps in one compiled loop on the device."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from pack_images import Images

from keras_resnet.evaluation.classifier import with_activation
from keras_resnet.structure import weight_of
from keras_resnet.training.stepping.optimizer import SGD
from keras_resnet.weights.preprocessing import SIDE_OVER_PADDING

EVALUATED = 1_000  # images at once


class State(NamedTuple):
    """The arrays of a network in training, in the order of Keras' variables."""

    trainable: list
    other: list
    optimizer: list


class Inputs(NamedTuple):
    """What the compiled functions take in besides the state, so that all seeds use one compilation."""

    images: Any
    labels: Any
    mean: Any
    key: Any


class JaxTrainer:
    """The CIFAR protocol of Sec. 4.2 for ``network``, in functions that JAX compiles.

    Losses, weight decay, augmentation and recalibrated statistics are those of ``training.run``; the order of images
    and the draws of the augmentation are other ones.

    Args:
        network: built on the JAX backend; its weights are the start.
        train: the training images.
        batch_size: images a step.
        weight_decay: of kernels, inside the gradient.
        seed: determines order and augmentation.
    """

    def __init__(self, network: keras.Model, train: Images, batch_size: int, weight_decay: float, seed: int):
        self.network, self.batch_size, self.seed = network, batch_size, seed
        self.logits = with_activation(network, None)
        self.optimizer = SGD(l2=weight_decay)
        self.optimizer.build(self.logits.trainable_variables)
        self.count = len(train.labels)
        mean = jnp.asarray(train.images.mean(0, dtype=np.float64), jnp.float32)
        self.inputs = Inputs(jnp.asarray(train.images), jnp.asarray(train.labels), mean, jax.random.key(seed))
        self.rate_at = [v is self.optimizer._learning_rate for v in self.optimizer.variables].index(True)
        self._steps = jax.jit(self.steps, donate_argnums=0)
        self._statistics, self._wrong = jax.jit(self.statistics), jax.jit(self.wrong)

    def start(self) -> State:
        """The network's present weights, and an optimizer at rest."""
        return State(*(
            [jnp.array(v.value) for v in variables]  # copies, because the compiled loop reuses their memory
            for variables in (self.logits.trainable_variables, self.logits.non_trainable_variables,
                              self.optimizer.variables)
        ))  # fmt: skip

    def positions(self, first: int, steps: int) -> np.ndarray:
        """Which images the ``steps`` from ``first`` on take, ``[steps, batch]``; every epoch is a new permutation."""
        start, stop = first * self.batch_size, (first + steps) * self.batch_size
        epochs = range(start // self.count, -(-stop // self.count))
        orders = [np.random.default_rng([self.seed, epoch]).permutation(self.count) for epoch in epochs]
        offset = epochs[0] * self.count
        return np.concatenate(orders)[start - offset : stop - offset].reshape(steps, self.batch_size).astype(np.int32)

    def train(self, state: State, first: int, rates: np.ndarray) -> tuple[State, float, float]:
        """Take a step for each of ``rates``; returns the state, the mean loss and the training error in percent."""
        numbers = np.arange(first, first + len(rates), dtype=np.int32)
        order = self.positions(first, len(rates))
        state, losses, wrong = self._steps(state, self.inputs, order, numbers, rates.astype(np.float32))
        return state, float(losses), 100 * float(wrong)

    def steps(self, state: State, inputs: Inputs, order: Any, numbers: Any, rates: Any):
        """The steps of :meth:`train`, to be compiled."""

        def step(state, of_step):
            positions, number, rate = of_step
            x, y = views(inputs, positions, number), inputs.labels[positions]
            gradient = jax.value_and_grad(self._loss, has_aux=True)
            (loss, (other, wrong)), gradients = gradient(state.trainable, state.other, x, y)
            slots = list(state.optimizer)
            slots[self.rate_at] = rate
            trainable, slots = self.optimizer.stateless_apply(slots, gradients, state.trainable)
            return State(list(trainable), list(other), list(slots)), (loss, wrong)

        state, (losses, wrong) = jax.lax.scan(step, state, (order, numbers, rates))
        return state, losses.mean(), wrong.mean()

    def _loss(self, trainable, other, x, y):
        logits, other = self.logits.stateless_call(trainable, other, x, training=True)
        losses = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
        return losses.mean(), (other, (logits.argmax(-1) != y).mean())

    def recalibrated(self, state: State, first: int, batches: int) -> State:
        """``state`` with the moving statistics of the ``batches`` from step ``first`` on, taken as one batch."""
        numbers = np.arange(first, first + batches, dtype=np.int32)
        return state._replace(other=self._statistics(state, self.inputs, self.positions(first, batches), numbers))

    def statistics(self, state: State, inputs: Inputs, order: Any, numbers: Any) -> list:
        """The arrays of :meth:`recalibrated`, to be compiled."""
        kept = 1 - _momentum(self.logits)
        kinds = [weight_of(v.name) for v in self.logits.non_trainable_variables]
        moving = [kind in ("moving_mean", "moving_variance") for kind in kinds]
        empty = [jnp.zeros_like(v) if m else v for v, m in zip(state.other, moving, strict=True)]

        def measure(_, of_step):
            x = views(inputs, *of_step)
            _, other = self.logits.stateless_call(state.trainable, empty, x, training=True)
            return None, [v / kept for v, m in zip(other, moving, strict=True) if m]  # the statistics of the batch

        _, measured = jax.lax.scan(measure, None, (order, numbers))
        values, other = iter(measured), list(state.other)
        for place, kind in enumerate(kinds):
            if kind == "moving_mean":
                means = next(values)
                other[place] = means.mean(0)
            elif kind == "moving_variance":  # it follows its mean
                other[place] = next(values).mean(0) + means.var(0)
        return other

    def error(self, state: State, part: Images) -> float:
        """The error in percent on whole images, with the moving statistics of ``state``."""
        wrong = 0.0
        for start in range(0, len(part.labels), EVALUATED):
            images, labels = (values[start : start + EVALUATED] for values in part)
            wrong += float(self._wrong(state, self.inputs.mean, images, labels))
        return 100 * wrong / len(part.labels)

    def wrong(self, state: State, mean: Any, images: Any, labels: Any) -> Any:
        """How many of ``images`` are classified wrongly, to be compiled."""
        logits, _ = self.logits.stateless_call(state.trainable, state.other, images - mean, training=False)
        return (logits.argmax(-1) != labels).sum()

    def assign(self, state: State) -> None:
        """Give the network the weights and statistics of ``state``."""
        for variables, values in ((self.logits.trainable_variables, state.trainable),
                                  (self.logits.non_trainable_variables, state.other)):  # fmt: skip
            for variable, value in zip(variables, values, strict=True):
                variable.assign(np.asarray(value))  # a copy, because steps reuse the memory of their state
        if self.logits is not self.network:
            self.network.layers[-1].set_weights(self.logits.layers[-1].get_weights())


def views(inputs: Inputs, positions: Any, number: Any) -> Any:
    """The batch of step ``number``: the mean subtracted, then padding, a crop and a flip for each image (Sec. 4.2)."""
    images = inputs.images[positions]
    padding = images.shape[1] // SIDE_OVER_PADDING
    padded = jnp.pad(images - inputs.mean, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    shift_key, flip_key = jax.random.split(jax.random.fold_in(inputs.key, number))
    at = jax.random.randint(shift_key, (len(images), 2), 0, 2 * padding + 1)
    mirrored = jax.random.bernoulli(flip_key, shape=(len(images),))

    def view(image, at, mirrored):
        crop = jax.lax.dynamic_slice(image, (at[0], at[1], 0), images.shape[1:])
        return jnp.where(mirrored, crop[:, ::-1], crop)

    return jax.vmap(view)(padded, at, mirrored)


def _momentum(model: keras.Model) -> float:
    """The momentum of all moving statistics."""
    (momentum,) = {layer.momentum for layer in model._flatten_layers() if hasattr(layer, "moving_mean")}
    return momentum
