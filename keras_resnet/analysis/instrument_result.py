"""Result files of instruments."""

import json
from pathlib import Path

import numpy as np

from keras_resnet.files import check_all_replaceable, write_text

BEGINS = '{\n "instrument": '
RESULT = "result.json"
OTHERS = ("figure.png", "surface.png", "layers.json")  # files of instruments, written after it


def write_result(folder: Path, instrument: str, result: dict, origin: dict, copy: Path | None = None) -> None:
    """Write ``result`` and its provenance to ``folder/result.json``, and to ``copy`` if that is given.

    Args:
        folder: the folder, created if it does not exist.
        instrument: the name of the instrument.
        result: plain values and arrays.
        origin: the provenance, by :func:`keras_resnet.training.files.run_result.provenance`.
        copy: another file to write.

    Raises:
        InputError: the folder has the result of something else, such as a run's.
    """
    check_result(folder)
    content = {"instrument": instrument, **result, **origin}
    text = json.dumps(content, indent=1, default=_plain)
    for target in (folder / RESULT, *([copy] if copy else [])):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, text + "\n")


def check_result(folder: Path) -> None:
    """Raise :class:`InputError` if ``folder`` has files of something else, which an instrument would replace."""
    check_all_replaceable(folder / RESULT, BEGINS, OTHERS)


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
