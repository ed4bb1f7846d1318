"""A run of identical blocks as one layer, so that networks of a thousand layers build in seconds."""

from collections.abc import MutableMapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_resnet.structure import stacked_name
from keras_resnet.typing import Tensor


def is_seed(variable: keras.Variable) -> bool:
    """Whether a variable is the state of a random generator, which does not belong to a block."""
    return variable.name == "seed_generator_state"


@keras.saving.register_keras_serializable("keras_resnet")
class BlockLoop(keras.layers.Layer):
    """Applies ``repeats`` blocks of the same structure, each with its own weights, one after the other.

    The weights are those of ``block`` with a leading axis of length ``repeats``; each slice is initialized like a
    separate block. On TensorFlow the blocks are one ``tf.while_loop``, on JAX one scan, elsewhere a Python loop.

    Args:
        block: the template, a Functional model from ``[batch, height, width, channels]`` to the same shape, or to any
            shape if it is not repeated.
        repeats: the number of blocks.
        drop_rates: the rate of each block's ``StochasticDepth``; None if the block has none.
        remat: keep only each block's input and compute the block again in the backward pass.
        kwargs: arguments of every Keras layer.
    """

    block: keras.Model
    seed_generator: keras.random.SeedGenerator

    def __init__(
        self,
        block: keras.Model,
        repeats: int,
        drop_rates: Sequence[float] | None = None,
        remat: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        object.__setattr__(self, "block", block)  # untracked: its variables are not weights of this layer
        self.repeats = repeats
        self.drop_rates = list(drop_rates) if drop_rates is not None else None
        self.remat = remat
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.stacked = [self._stack(v, trainable=True) for v in self.block.trainable_variables]
        self.states = [self._stack(v, trainable=False) for v in self.block.non_trainable_variables if not is_seed(v)]

    def _stack(self, variable, trainable: bool):
        return self.add_weight(
            name=stacked_name(variable.path),
            shape=(self.repeats, *variable.shape),
            dtype=variable.dtype,
            trainable=trainable,
            autocast=False,
            initializer=self._initializer(variable),
        )

    def _initializer(self, variable):
        if variable.name == "kernel":  # the fan-in of a stack includes the number of blocks: the scale compensates
            return keras.initializers.VarianceScaling(2.0 * self.repeats, "fan_in", "untruncated_normal")
        value = ops.convert_to_numpy(variable)
        if variable.name == "rate":
            value = np.asarray(self.drop_rates, value.dtype)
        return lambda shape, dtype: ops.convert_to_tensor(np.broadcast_to(value, shape).copy(), dtype)

    def compute_output_spec(self, inputs: Tensor, training: bool | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(self.block.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        training = bool(training)
        seeded = [is_seed(v) for v in self.block.non_trainable_variables]

        def step(x, weights, states, seeds):
            states, seeds = iter(states), iter(seeds)
            everything = [next(seeds) if is_seed else next(states) for is_seed in seeded]
            x, updated = self.block.stateless_call(weights, everything, x, training=training)
            return x, [state for state, is_seed in zip(updated, seeded, strict=True) if not is_seed]

        if self.remat and training:
            step = keras.remat(step)
        weights = [ops.convert_to_tensor(v) for v in self.stacked]
        states = [ops.convert_to_tensor(v) for v in self.states]
        seeds = [self._seeds() for is_seed in seeded if is_seed]
        loop = _LOOPS.get(keras.backend.backend(), _python_loop) if self.repeats > 1 else _python_loop
        outputs, updated = loop(step, inputs, (weights, states, seeds), self.repeats)
        if training:
            for variable, value in zip(self.states, updated, strict=True):
                variable.assign(value)
        return outputs

    def _seeds(self):
        """A seed for each block: the drawn seed, with the block's number added to its first half."""
        numbers = ops.stack([ops.arange(self.repeats), ops.zeros(self.repeats, "int32")], axis=1)
        return ops.cast(numbers, "uint32") + ops.cast(self.seed_generator.next(), "uint32")

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Save stacked weights by name, so that a file can be read without the layer."""
        for variable in self.stacked + self.states:
            store[variable.name] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Load the stacked weights that :meth:`save_own_variables` saved."""
        for variable in self.stacked + self.states:
            variable.assign(store[variable.name])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "block": keras.saving.serialize_keras_object(self.block),
            "repeats": self.repeats,
            "drop_rates": self.drop_rates,
            "remat": self.remat,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BlockLoop":
        config = dict(config)
        config["block"] = keras.saving.deserialize_keras_object(config["block"])
        return cls(**config)


def _tensorflow_loop(step, x, stacks, repeats):
    import tensorflow as tf

    arrays = tf.nest.map_structure(lambda t: tf.TensorArray(t.dtype, repeats).unstack(t), stacks)
    states = [tf.TensorArray(t.dtype, repeats, element_shape=t.shape[1:]) for t in stacks[1]]

    def body(i, x, states):
        y, updated = step(x, *tf.nest.map_structure(lambda array: array.read(i), arrays))
        return i + 1, tf.ensure_shape(y, x.shape), [s.write(i, u) for s, u in zip(states, updated, strict=True)]

    _, x, states = tf.while_loop(
        lambda i, *_: i < repeats, body, (0, x, states), maximum_iterations=repeats, parallel_iterations=1
    )
    return x, [s.stack() for s in states]


def _scan_loop(step, x, stacks, repeats):
    return ops.scan(lambda x, slices: step(x, *slices), x, stacks, length=repeats)


def _python_loop(step, x, stacks, repeats):
    steps = []
    for i in range(repeats):
        x, updated = step(x, *[[stack[i] for stack in part] for part in stacks])
        steps.append(updated)
    return x, [ops.stack(states) for states in zip(*steps, strict=True)]


_LOOPS = {"tensorflow": _tensorflow_loop, "jax": _scan_loop}
