"""What every source gives: splits whose encoded images are read by position."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from keras_resnet.data.reading import Reader
from keras_resnet.errors import InputError

DATA_FORMS = (
    "a folder with train/<class>/*.JPEG and val/<class>/*.JPEG, one of record shards, "
    "the name of a TFDS data set, or demo"
)
PICTURE = 300  # pixels


@dataclass(frozen=True)
class Split:
    """Encoded images and labels of one part of a data set, read by position in any order.

    Fields:
        name: which images these are, as reports name them.
        size: how many there are.
        read: scalar int64 tensor, a position, to the JPEG or PNG file's bytes, a scalar string tensor, and the label,
            a scalar int32 tensor.
        fingerprint: changes when the files do; names what is computed once from the split and kept.
        file: a position to the image's file, where it has one of its own.
        read_whole: the same as ``read`` in training, where the next whole image stands in for one that is lost.
        reader: what reads, and counts what is lost.
        files: a row an image, as :func:`keras_resnet.data.scan.images_in` gives them, of images in files of their own.
        with_files: other ``files`` to the split of those.
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
        """What messages call the image at ``position``: its file, or its place."""
        return self.file(position) if self.file else f"number {position} of {self.name}"

    def picture(self, position: int) -> np.ndarray:
        """The image at ``position`` to look at, uint8 ``[height, width, 3]``, ``PICTURE`` pixels at most on a side."""
        from PIL import Image

        from keras_resnet.data import augment

        encoded, _ = (self.read_whole or self.read)(position)
        found = Image.fromarray(augment.decode(encoded).numpy())
        found.thumbnail((PICTURE, PICTURE))
        return np.asarray(found)


@dataclass(frozen=True)
class Data:
    """A data set: its class names, and its parts, each opened when it is first asked for and then kept.

    Fields:
        name: of the data set.
        classes: class names, in the order of the labels.
        openers: a function that opens each part there is of ``"train"``, ``"validation"`` and ``"test"``; the first two
            are always there.
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
        """The test images; None where there are none."""
        return self.openers["test"]() if "test" in self.openers else None

    def part(self, name: str) -> Split:
        """``"train"``, ``"val"`` or ``"test"``; raises :class:`InputError` for one that there is not."""
        found = getattr(self, {"val": "validation"}.get(name, name))
        if found is None:
            raise InputError(f"{self.name} has no {name} split: choose --split val.")
        return found


def fingerprint_of(parts) -> str:
    """A short hash of ``parts``, strings or bytes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part.encode() if isinstance(part, str) else part) + b"\0")
    return digest.hexdigest()[:16]
