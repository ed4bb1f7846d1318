"""The common form of all sources: splits whose encoded images are read by position."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from keras_resnet.data.reading import Reader
from keras_resnet.errors import InputError

DATA_FORMS = (
    "a folder with train/<class>/*.JPEG and val/<class>/*.JPEG, one of record shards, "
    "the name of a TFDS data set, or demo"
)


@dataclass(frozen=True)
class Split:
    """Encoded images and labels of one part of a data set, read by position in any order.

    Fields:
        name: how reports name these images.
        size: the number of images.
        read: from a position, a scalar int64 tensor, to the bytes of the JPEG or PNG file, a scalar string tensor, and
            the label, a scalar int32 tensor.
        fingerprint: changes when the files do; it identifies cached results of the split.
        file: from a position to the image's file, if images have individual files.
        read_whole: like ``read``, but replaces an image that cannot be read by the next readable one, for training.
        reader: reads the images, and counts those that are lost.
        files: if images have individual files, one row per image, see :func:`keras_resnet.data.scan.images_in`.
        with_files: from other ``files`` to the split of those.
    """

    name: str
    size: int
    read: Callable
    fingerprint: str = ""
    file: Callable[[int], str] | None = None
    read_whole: Callable | None = None
    reader: Reader | None = field(default=None, repr=False)
    files: np.ndarray | None = field(default=None, repr=False)
    with_files: Callable[[np.ndarray], "Split"] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.size

    def photo(self, position: int) -> str:
        """The name of the image at ``position`` in messages: its file or its number."""
        return self.file(position) if self.file else f"number {position} of {self.name}"


@dataclass(frozen=True)
class Data:
    """A data set: its class names, and its parts, each opened when it is first used.

    Fields:
        name: of the data set.
        classes: class names, in the order of the labels.
        openers: functions that open the parts ``"train"`` and ``"validation"``, and ``"test"`` if there is one.
    """

    name: str
    classes: tuple[str, ...]
    openers: Mapping[str, Callable[[], Split]]

    @functools.cached_property
    def train(self) -> Split:
        """The training images."""
        return self.openers["train"]()

    @functools.cached_property
    def validation(self) -> Split:
        """The validation images."""
        return self.openers["validation"]()

    @functools.cached_property
    def test(self) -> Split | None:
        """The test images; None if there are none."""
        return self.openers["test"]() if "test" in self.openers else None

    def part(self, name: str) -> Split:
        """The part ``"train"``, ``"val"`` or ``"test"``; raises :class:`InputError` if it does not exist."""
        split = getattr(self, {"val": "validation"}.get(name, name))
        if split is None:
            raise InputError(f"{self.name} has no {name} split: choose --split val.")
        return split


def fingerprint_of(parts: Iterable[str | bytes]) -> str:
    """A short hash of ``parts``, strings or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part.encode() if isinstance(part, str) else part) + b"\0")
    return digest.hexdigest()[:16]
