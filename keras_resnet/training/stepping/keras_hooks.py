"""The undocumented methods of Keras that training overrides or calls, each with its reason.

``HOOKS`` lists them with their parameters in the pinned version of Keras; a test compares these with Keras itself.
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
