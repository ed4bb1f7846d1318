"""Keras still has the undocumented methods that training relies on, with the same parameters."""

import inspect
import operator

import keras
import pytest

from keras_resnet.training import SGD
from keras_resnet.training.stepping.keras_hooks import HOOKS, NoSymbolicBuild, SeedsByDevice, SumsOnce


@pytest.mark.parametrize(("owner", "name"), HOOKS)
def test_keras_has_the_hook_with_these_parameters(owner, name):
    hook = getattr(operator.attrgetter(owner)(keras), name, None)
    parameters = tuple(inspect.signature(hook).parameters) if hook else None
    assert parameters == HOOKS[owner, name], (
        f"Keras {keras.__version__} has keras.{owner}.{name} with the parameters {parameters}: find what replaces "
        "it, then adapt keras_resnet/training/stepping/keras_hooks.py."
    )


def test_every_overridden_hook_is_listed():
    for cls in (NoSymbolicBuild, SumsOnce):
        replaced = {name for name, value in vars(cls).items() if callable(value) and name.startswith("_")}
        assert replaced - {"__doc__"} <= {name for _, name in HOOKS}
    assert {name for name, value in vars(SeedsByDevice).items() if callable(value)} == {"next"}
    assert ("random.SeedGenerator", "next") in HOOKS


def test_gradients_count_as_summed_only_within_the_context():
    optimizer = SGD()

    def fail():
        with optimizer.gradients_are_summed():
            assert optimizer._all_reduce_sum_gradients(iter([(1, 2)])) == [(1, 2)]
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        fail()
    assert optimizer._summed is False
