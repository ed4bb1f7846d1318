"""What training replaces in Keras' own classes, or calls there, that Keras does not document; each with its reason.

``HOOKS`` lists them with the parameters they have in the pinned version, which a test compares with Keras'.
"""

import contextlib
from collections.abc import Iterator

HOOKS = {
    ("Model", "_maybe_symbolic_build"): ("self", "iterator", "data_batch"),
    ("Model", "make_train_function"): ("self", "force"),
    ("Model", "make_test_function"): ("self", "force"),
    ("optimizers.Optimizer", "_all_reduce_sum_gradients"): ("self", "grads_and_vars"),
    ("optimizers.Optimizer", "_get_variable_index"): ("self", "variable"),
    ("optimizers.Optimizer", "update_step"): ("self", "gradient", "variable", "learning_rate"),
}


class NoSymbolicBuild:
    """For a model that is built when it is made: Keras' own symbolic build fails with several workers.

    See issue 20585 of Keras.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing."""


class SumsOnce:
    """For an optimizer of a training step that sums gradients over replicas itself, to look at the sums first."""

    _summed = False

    @contextlib.contextmanager
    def gradients_are_summed(self) -> Iterator[None]:
        """While entered, ``apply`` takes gradients for sums over all replicas, which Keras would sum once more."""
        self._summed = True
        try:
            yield
        finally:
            self._summed = False

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars) if self._summed else super()._all_reduce_sum_gradients(grads_and_vars)
