"""What happens when Keras and TensorFlow are imported for the first time, by whomever."""

import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable

from keras_resnet import processor
from keras_resnet.messages import at_log_level


class FirstImport(importlib.abc.MetaPathFinder):
    """Imports the module ``name`` by ``run(execute)``, where ``execute()`` runs its own code.

    It stands at the head of ``sys.meta_path`` until then, also where others only ask whether the module is there.
    """

    def __init__(self, name: str, run: Callable[[Callable[[], None]], None]):
        self.name, self.run, self.looking = name, run, False

    def find_spec(self, name, path=None, target=None):
        if name != self.name or self.looking:
            return None
        self.looking = True  # for the others' answer
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.looking = False
        if spec is not None:
            execute = spec.loader.exec_module

            def first(module):
                sys.meta_path.remove(self)
                self.run(lambda: execute(module))

            spec.loader.exec_module = first
        return spec


def watch() -> None:
    """Have TensorFlow use oneDNN and keep its messages at their level, and Keras know the classes of saved networks."""
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, FirstImport("tensorflow", _with_our_settings))
    else:
        processor.say_if_onednn_is_off()
    if "keras" not in sys.modules:
        sys.meta_path.insert(0, FirstImport("keras", _then_register))
    else:
        register()


def register() -> None:
    """Import what Keras must know to load a saved network.

    That may be in the midst of any module which imports Keras, so none of these may need one that does.
    """
    for name in ("network", "layers.batch_normalization", "layers.block_loop", "layers.identity_shortcut",
                 "layers.maxout", "layers.stochastic_depth"):  # fmt: skip
        importlib.import_module(f"keras_resnet.{name}")


def _with_our_settings(execute: Callable[[], None]) -> None:
    processor.prefer_onednn()
    with at_log_level():
        execute()


def _then_register(execute: Callable[[], None]) -> None:
    execute()
    register()
