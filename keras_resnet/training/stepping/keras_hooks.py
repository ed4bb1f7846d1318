"""The undocumented methods of Keras that training overrides or calls, each with its reason.

``HOOKS`` lists them with their parameters in the pinned version of Keras; a test compares these with Keras itself.
"""

import contextlib
from collections.abc import Iterator

import keras

from keras_resnet.typing import Tensor

HOOKS = {
    ("Layer", "_flatten_layers"): ("self", "include_self", "recursive"),
    ("Model", "_maybe_symbolic_build"): ("self", "iterator", "data_batch"),
    ("Model", "make_train_function"): ("self", "force"),
    ("Model", "make_test_function"): ("self", "force"),
    ("optimizers.Optimizer", "_all_reduce_sum_gradients"): ("self", "grads_and_vars"),
    ("optimizers.Optimizer", "_get_variable_index"): ("self", "variable"),
    ("optimizers.Optimizer", "update_step"): ("self", "gradient", "variable", "learning_rate"),
    ("random.SeedGenerator", "next"): ("self", "ordered"),
}


class NoSymbolicBuild:
    """A mixin for models that are built on construction: Keras' symbolic build fails with several workers.

    See Keras issue 20585.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Do nothing: the model is built already."""


class SumsOnce:
    """A mixin for optimizers whose training step sums the gradients over the replicas, to inspect the sums first."""

    _summed = False

    @contextlib.contextmanager
    def gradients_are_summed(self) -> Iterator[None]:
        """Within this context ``apply`` takes gradients summed over the replicas already; Keras would sum again."""
        self._summed = True
        try:
            yield
        finally:
            self._summed = False

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars) if self._summed else super()._all_reduce_sum_gradients(grads_and_vars)


class SeedsByDevice(keras.random.SeedGenerator):
    """A generator whose seeds differ from device to device: Keras' own has the same on all devices of a strategy.

    Dropout would drop the same units of the first example of each device's share, of the second one, and so on.
    """

    def next(self, ordered: bool = True) -> Tensor:
        """The next seed, into which the number of the device is folded."""
        import tensorflow as tf

        context, seed = tf.distribute.get_replica_context(), super().next(ordered)
        if context is None:  # not in a step of several devices
            return seed
        return tf.random.experimental.stateless_fold_in(seed, context.replica_id_in_sync_group)


def draw_by_device(model: keras.Model) -> None:
    """Let all random layers of ``model`` draw other numbers on each device."""
    for layer in model._flatten_layers():
        for generator in vars(layer).values():
            if type(generator) is keras.random.SeedGenerator:
                generator.__class__ = SeedsByDevice
