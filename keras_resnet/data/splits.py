"""What every source gives: splits whose encoded images are read by position."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

DATA_FORMS = (
    "a folder with train/<class>/*.JPEG and val/<class>/*.JPEG, one of record shards, "
    "the name of a TFDS data set, or demo"
)


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
    """

    name: str
    size: int
    read: Callable
    fingerprint: str = ""
    file: Callable[[int], str] | None = None

    def __len__(self) -> int:
        return self.size

    def photo(self, position: int) -> str:
        """What messages call the image at ``position``: its file, or its place."""
        return self.file(position) if self.file else f"number {position} of {self.name}"


@dataclass(frozen=True)
class Data:
    """A data set: its class names and its splits; ``test`` is None where there is none."""

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split | None = None


def fingerprint_of(parts) -> str:
    """A short hash of ``parts``, strings."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]
