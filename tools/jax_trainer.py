"""Training of networks for small images on Keras' JAX backend: many steps in one compiled loop on the device.

Networks of one structure are trained side by side, as one program over stacked arrays: a GPU takes far less than four
times as long for the small layers of four networks as for those of one.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from pack_images import Images
from stacked_convolution import stack_convolutions

from keras_resnet.evaluation.classifier import with_activation
from keras_resnet.structure import weight_of
from keras_resnet.training.stepping.optimizer import SGD
from keras_resnet.weights.preprocessing import SIDE_OVER_PADDING

EVALUATED = 1_000  # images at once


class State(NamedTuple):
    """The arrays of the networks in training, in the order of Keras' variables; their first axis is the networks'."""

    trainable: list
    other: list
    optimizer: list


class Inputs(NamedTuple):
    """What the compiled functions take in besides the state, so that all seeds use one compilation.

    All networks share the images and labels, and their mean; each has a key of its random draws.
    """

    images: Any
    labels: Any
    mean: Any
    key: Any


OF_NETWORKS = Inputs(None, None, None, 0)  # type: ignore[arg-type]  # the axes that jax.vmap maps


class JaxTrainer:
    """The CIFAR protocol of Sec. 4.2 for some networks of one structure, in functions that JAX compiles.

    Losses, weight decay, augmentation and recalibrated statistics are those of ``training.run``; the order of images
    and the draws of the augmentation are other ones.

    Args:
        networks: built on the JAX backend; their weights are the start.
        train: the training images.
        batch_size: images of each network in a step.
        weight_decay: of kernels, inside the gradient.
        seeds: one for each network; it determines order and augmentation.
    """

    def __init__(
        self, networks: list[keras.Model], train: Images, batch_size: int, weight_decay: float, seeds: list[int]
    ):
        self.networks, self.batch_size, self.seeds = networks, batch_size, seeds
        self.with_logits = [with_activation(network, None) for network in networks]
        self.logits = self.with_logits[0]
        stack_convolutions(self.logits)
        self.optimizer = SGD(l2=weight_decay)
        self.optimizer.build(self.logits.trainable_variables)
        self.count = len(train.labels)
        mean = jnp.asarray(train.images.mean(0, dtype=np.float64), jnp.float32)
        keys = jnp.stack([jax.random.key(seed) for seed in seeds])
        self.inputs = Inputs(jnp.asarray(train.images), jnp.asarray(train.labels), mean, keys)
        self.rate_at = [v is self.optimizer._learning_rate for v in self.optimizer.variables].index(True)
        self._steps = jax.jit(jax.vmap(self.steps, in_axes=(0, OF_NETWORKS, 0, None, 0)), donate_argnums=0)
        self._statistics = jax.jit(jax.vmap(self.statistics, in_axes=(0, OF_NETWORKS, 0, None)))
        self._wrong = jax.jit(jax.vmap(self.wrong, in_axes=(0, None, None, None)))

    def start(self) -> State:
        """The networks' present weights, and optimizers at rest."""
        variables = [
            (network.trainable_variables, network.non_trainable_variables, self.optimizer.variables)
            for network in self.with_logits
        ]
        return State(*([jnp.stack([v.value for v in same]) for same in zip(*kind, strict=True)]
                       for kind in zip(*variables, strict=True)))  # fmt: skip

    def positions(self, first: int, steps: int) -> np.ndarray:
        """Which images the ``steps`` from ``first`` on take, int32 ``[networks, steps, batch]``.

        Every epoch of a network is a new permutation.
        """
        start, stop = first * self.batch_size, (first + steps) * self.batch_size
        epochs = range(start // self.count, -(-stop // self.count))
        orders = [
            np.concatenate([np.random.default_rng([seed, epoch]).permutation(self.count) for epoch in epochs])
            for seed in self.seeds
        ]
        offset = epochs[0] * self.count
        chosen = np.stack(orders)[:, start - offset : stop - offset].astype(np.int32)
        return chosen.reshape(len(self.seeds), steps, self.batch_size)

    def train(self, state: State, first: int, rates: np.ndarray) -> tuple[State, np.ndarray, np.ndarray]:
        """Take a step for each of ``rates``, ``[networks, steps]``.

        Returns the state, and each network's mean loss and training error in percent.
        """
        steps = rates.shape[1]
        numbers = np.arange(first, first + steps, dtype=np.int32)
        order = self.positions(first, steps)
        state, losses, wrong = self._steps(state, self.inputs, order, numbers, rates.astype(np.float32))
        return state, np.asarray(losses), 100 * np.asarray(wrong)

    def steps(self, state: State, inputs: Inputs, order: Any, numbers: Any, rates: Any):
        """The steps of :meth:`train` for one network, to be compiled."""

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
        """The arrays of :meth:`recalibrated` for one network, to be compiled."""
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

    def errors(self, state: State, part: Images) -> np.ndarray:
        """The error of each network in percent on whole images, with the moving statistics of ``state``."""
        wrong = np.zeros(len(self.seeds))
        for start in range(0, len(part.labels), EVALUATED):
            images, labels = (values[start : start + EVALUATED] for values in part)
            wrong += np.asarray(self._wrong(state, self.inputs.mean, images, labels))
        return 100 * wrong / len(part.labels)

    def wrong(self, state: State, mean: Any, images: Any, labels: Any) -> Any:
        """How many of ``images`` one network classifies wrongly, to be compiled."""
        logits, _ = self.logits.stateless_call(state.trainable, state.other, images - mean, training=False)
        return (logits.argmax(-1) != labels).sum()

    def assign(self, state: State) -> None:
        """Give the networks the weights and statistics of ``state``."""
        for number, (network, logits) in enumerate(zip(self.networks, self.with_logits, strict=True)):
            for variables, values in ((logits.trainable_variables, state.trainable),
                                      (logits.non_trainable_variables, state.other)):  # fmt: skip
                for variable, value in zip(variables, values, strict=True):
                    variable.assign(np.asarray(value[number]))
            if logits is not network:
                network.layers[-1].set_weights(logits.layers[-1].get_weights())


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
