"""The common form of all sources: splits whose encoded images are read by position."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_resnet.data.reading import Reader
from keras_resnet.errors import InputError

DATA_FORMS = (
    "a folder of class folders, one with train/<class>/* and val/<class>/*, a CSV or TSV file of path,label[,split], "
    "a folder of record shards, the name of a TFDS data set, or demo"
)
PARTS = {"train": "train", "validation": "val", "test": "test"}  # of Data, and as flags and files call them
MAX_SIDE = 300  # pixels of a picture


@dataclass(frozen=True)
class LeftOut:
    """Files that are not used for one reason.

    Fields:
        reason: what they are, in words, in the plural.
        count: how many.
        example: the first of them.
        bad: they were to be photos, so that ``--strict`` stops.
    """

    reason: str
    count: int
    example: str
    bad: bool = False

    def __str__(self) -> str:
        return f"{self.reason}: {self.count:,}, {'such as ' if self.count > 1 else ''}{self.example}"


@dataclass(frozen=True)
class Split:
    """Encoded images and labels of one part of a data set, read by position in any order.

    Fields:
        name: how reports name these images.
        size: the number of images.
        read: from a position, a scalar int64 tensor, to the bytes of the file, a scalar string tensor, and
            the label, a scalar int32 tensor.
        fingerprint: changes when the files do; it identifies cached results of the split.
        file: from a position to the image's file, if images have individual files.
        read_whole: like ``read``, but replaces an image that cannot be read by the next readable one, for training.
        reader: reads the images, and counts those that are lost.
        files: if images have individual files, one row per image, see :func:`keras_resnet.data.scan.images_in`.
        with_files: from other ``files`` to the split of those.
        draw: a position and the example's number in the run, scalar int64 tensors, to the position that is read in
            training instead; None to read each once an epoch.
        folder: under which the paths of ``files`` are.
        content: for images in records, the same wherever their shards lie, and another one for other images or another
            order.
        left_out: what was found beside these images and is not used, and why.
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
    draw: Callable | None = None
    folder: Path | None = None
    content: str = ""
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return self.size

    def photo(self, position: int) -> str:
        """The name of the image at ``position`` in messages: its file or its number."""
        return self.file(position) if self.file else f"number {position} of {self.name}"

    def picture(self, position: int) -> np.ndarray:
        """The image at ``position`` as a picture with sides of at most 300 pixels, uint8 ``[height, width, 3]``."""
        from PIL import Image

        from keras_resnet.data import decoding

        encoded, _ = (self.read_whole or self.read)(position)
        image = Image.fromarray(decoding.decode(encoded).numpy())
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        return np.asarray(image)


@dataclass(frozen=True)
class Data:
    """A data set: its class names, and its parts, each opened when it is first used.

    Fields:
        name: of the data set.
        classes: class names, in the order of the labels.
        openers: functions that open the parts ``"train"`` and ``"validation"``, and ``"test"`` if there is one.
        left_out: what was found beside the parts and is not used, and why.
    """

    name: str
    classes: tuple[str, ...]
    openers: Mapping[str, Callable[[], Split]]
    left_out: tuple[LeftOut, ...] = ()

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


def evenly_spaced(total: int, count: int) -> np.ndarray:
    """At most ``count`` of ``total`` positions, int64, evenly spaced: sorted images are then of all classes."""
    return np.linspace(0, total - 1, min(count, total)).round().astype(np.int64)


def fingerprint_of(parts: Iterable[str | bytes]) -> str:
    """A short hash of ``parts``, strings or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part.encode(errors="surrogateescape") if isinstance(part, str) else part) + b"\0")
    return digest.hexdigest()[:16]
