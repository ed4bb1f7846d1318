"""Hooks that run when Keras and TensorFlow are first imported, by this package or by other code."""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from keras_resnet import processor
from keras_resnet.messages import at_log_level


class FirstImport(importlib.abc.MetaPathFinder):
    """Imports the module ``name`` by calling ``run(execute)``, where ``execute()`` runs the module's code.

    It stays at the head of ``sys.meta_path`` until the import, and also answers code that only asks for the spec.
    """

    def __init__(self, name: str, run: Callable[[Callable[[], None]], None]):
        self.name, self.run, self.searching = name, run, False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self.name or self.searching:
            return None
        self.searching = True  # the other finders answer the search below
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.searching = False
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def first(module):
                sys.meta_path.remove(self)
                self.run(lambda: execute(module))

            spec.loader.exec_module = first  # type: ignore[method-assign]
        return spec


def watch() -> None:
    """Arrange what the first imports do.

    TensorFlow turns oneDNN on and hides messages below the chosen level; Keras registers the classes of saved networks.
    """
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, FirstImport("tensorflow", _with_our_settings))
    else:
        processor.say_if_onednn_is_off()
    if "keras" not in sys.modules:
        sys.meta_path.insert(0, FirstImport("keras", _then_register))
    else:
        register()


def register() -> None:
    """Import the classes that Keras needs to load a saved network.

    This may happen in the middle of any module that imports Keras, so these modules must not need any such module.
    """
    for name in ("network", "layers.batch_normalization", "layers.block_loop", "layers.identity_shortcut",
                 "layers.maxout", "layers.stochastic_depth"):  # fmt: skip
        importlib.import_module(f"keras_resnet.{name}")


def _with_our_settings(execute: Callable[[], None]) -> None:
    processor.prefer_onednn()
    with at_log_level(), _without_collections():
        execute()


def _then_register(execute: Callable[[], None]) -> None:
    with _without_collections():
        execute()
        register()


@contextlib.contextmanager
def _without_collections() -> Iterator[None]:
    """Collect no garbage within a ``with`` block, where Python would visit what an import makes again and again.

    That was a fifth of the time of TensorFlow's and Keras' import.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # to the oldest generation, which few collections visit
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
