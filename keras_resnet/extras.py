"""Packages that only some programs need, imported when they are first used."""

import importlib
from types import ModuleType

from keras_resnet.errors import InputError


def needed(module: str, extra: str) -> ModuleType:
    """The imported ``module``, which comes with ``extra`` of the installation.

    Raises:
        InputError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name != package:
            raise
        raise InputError(f"{package} is not installed: pip install 'keras_resnet[{extra}]' brings it.") from error
