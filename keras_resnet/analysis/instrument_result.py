"""What an instrument found, as a folder holds it: ``result.json`` and ``figure.png``."""

import json
from pathlib import Path

import numpy as np

from keras_resnet.files import write_whole


def write_result(folder: Path, instrument: str, result: dict, origin: dict, copy: Path | None = None) -> None:
    """Write ``result``, with what it was made by, as ``folder/result.json``, and as ``copy`` where that is given.

    Args:
        folder: made if it is not there.
        instrument: what measured.
        result: plain values and arrays.
        origin: of :func:`keras_resnet.training.files.run_result.provenance`.
    """
    content = {"instrument": instrument, **result, **origin}
    text = json.dumps(content, indent=1, default=_plain)
    for target in (folder / "result.json", *([copy] if copy else [])):
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, lambda path: path.write_text(text + "\n"))


def _plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
