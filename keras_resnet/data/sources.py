"""Sources of images: a folder, record shards, a TFDS data set, or the built-in demo set."""

import os
from pathlib import Path

from keras_resnet.data import demo
from keras_resnet.data.folders import open_folder
from keras_resnet.data.records import MANIFEST, open_records
from keras_resnet.data.splits import DATA_FORMS, Data
from keras_resnet.data.tfds_source import open_tfds
from keras_resnet.errors import InputError


def open_data(data: str, data_dir: str | Path | None = None) -> Data:
    """Open ``"demo"``, a folder, or a TFDS name such as ``"imagenet2012"``.

    A folder holds ``train/<class>/*.JPEG`` and ``val/<class>/*.JPEG``; or ImageNet as its official archives unpack,
    with a flat ``val/`` and a label list (see ``LABEL_LISTS``); or shards of ``tools/make_records.py``.

    Args:
        data: what to open. Anything with a path separator, and any existing folder, is taken as a folder.
        data_dir: where TFDS data sets are prepared; None for the default of TFDS.

    Raises:
        InputError: it was not found, with the way to get it.
    """
    if data == "demo":
        return open_folder(demo.folder(), "demo")
    if not data:
        raise InputError(f"--data is empty: it takes {DATA_FORMS}.")
    folder = Path(os.path.expanduser(data))
    if os.path.lexists(folder / MANIFEST):
        return open_records(folder, folder.name)
    if os.path.isdir(folder) or folder.is_absolute() or len(folder.parts) > 1 or data.startswith("."):
        return open_folder(folder, folder.name)
    return open_tfds(data, Path(os.path.expanduser(data_dir)) if data_dir else None)
