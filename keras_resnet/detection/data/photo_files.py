"""Photo files as they are: sizes, EXIF orientations and contents; and which data shares photos with other data."""

import hashlib
import io
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from keras_resnet.data.cache import cached
from keras_resnet.data.reading import read_regular
from keras_resnet.data.scan import stamp
from keras_resnet.detection.data.photos import NAMED, SIDEWAYS, DetectionData, Photo, turned
from keras_resnet.errors import InputError

ORIENTATION = 0x0112  # of EXIF
CONTENT = 3  # the column
UNREADABLE = 0  # a content


def examined(files: Sequence[Path]) -> np.ndarray:
    """Of each file the stored picture's height and width (0 if it is none), its EXIF orientation, and its content.

    The files are read once; the answer is kept as long as none of them changes.

    Returns:
        uint64 ``[files, 4]``; contents are 64 bits of SHA-256 of the file's bytes.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file}\0{stamp(str(file))}\0".encode())

    def examine():
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.array(list(threads.map(_examine, files)), np.uint64).reshape(-1, 4)

    return cached(f"photos/{digest.hexdigest()[:32]}", examine, _examine, _picture, _hash)


def as_annotated(photos: Sequence[Photo], source: Path, tolerated: float = 0.0) -> tuple[Photo, ...]:
    """``photos`` with the EXIF orientation that the size in the annotation asks for.

    Raises:
        InputError: more than the ``tolerated`` share of the files have another size.
    """
    found, other, unclear = [], [], []
    for photo, (height, width, orientation, _) in zip(photos, examined([p.file for p in photos]).tolist(), strict=True):
        given = (photo.height, photo.width)
        if orientation in SIDEWAYS and given == (width, height) and height != width:
            photo = replace(photo, orientation=orientation)
        elif height and given != (height, width):
            other.append(f"{photo.file} is {width} x {height} and not {photo.width} x {photo.height}")
        elif orientation > 1 and (orientation not in SIDEWAYS or height == width):
            unclear.append(str(photo.file))
        found.append(photo)
    if other:
        words = (
            f"{source} gives {len(other):,} images another size than their files have: {'; '.join(other[:NAMED])}. "
            "Their boxes may be elsewhere too: annotate the files as they are, or put their sizes right."
        )
        if len(other) > tolerated * len(photos):
            raise InputError(words)
        print(words, file=sys.stderr)
    if unclear:
        print(
            f"{source}: {len(unclear):,} photos have an EXIF orientation that keeps their size, such as {unclear[0]}: "
            "their boxes are taken for those of the picture as it is stored",
            file=sys.stderr,
        )
    return tuple(found)


def contents(data: DetectionData) -> np.ndarray:
    """64 bits of SHA-256 of each photo file's bytes, uint64 ``[photos]``, wherever the file is stored."""
    if data.encoded is None:
        return examined([photo.file for photo in data.photos])[:, CONTENT]
    digest = hashlib.sha256(data.name.encode())
    for photo in data.photos:
        digest.update(f"{photo.id}\0{photo.file}\0{photo.height}\0{photo.width}\0".encode())
        digest.update(photo.objects.boxes.tobytes())
    return cached(f"photos/records-{digest.hexdigest()[:32]}", lambda: _of_records(data), _of_records, _hash)


def check_unseen(trained_on: np.ndarray, data: DetectionData, what: str) -> None:
    """Raise :class:`InputError` if ``data`` has photos whose :func:`contents` are among ``trained_on``.

    Args:
        trained_on: contents, uint64.
        data: what a detector is to be judged on.
        what: who has been trained on them, in words.
    """
    own = contents(data)
    seen = np.flatnonzero(np.isin(own, trained_on) & (own != UNREADABLE))
    if len(seen):
        raise InputError(
            f"{what} is trained on {len(seen):,} of the {len(data):,} photos of {data.name}, such as "
            f"{data.photos[seen[0]].file}, which makes scores too good: score it on photos that it has not seen."
        )


def viewed(encoded: bytes) -> np.ndarray:
    """A JPEG or PNG as a viewer shows it, turned by its EXIF orientation: uint8 ``[height, width, 3]``.

    Raises:
        tf.errors.InvalidArgumentError: neither of them.
    """
    from keras_resnet.data.augment import decode

    return turned(decode(encoded), _picture(encoded)[2]).numpy()


def _examine(file: Path) -> tuple[int, int, int, int]:
    try:
        encoded, _ = read_regular(file)
    except InputError:  # found and named by the scan, as what does not decode
        return 0, 0, 1, UNREADABLE
    return *_picture(encoded), _hash(encoded)


def _of_records(data: DetectionData) -> np.ndarray:
    import tensorflow as tf

    records = tf.data.Dataset.range(len(data)).map(data.read).as_numpy_iterator()
    return np.array([_hash(encoded) for encoded in records], np.uint64)


def _hash(encoded: bytes) -> int:
    return int.from_bytes(hashlib.sha256(encoded).digest()[:8], "little")


def _picture(encoded: bytes) -> tuple[int, int, int]:
    """Height, width and EXIF orientation."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            orientation = int(image.getexif().get(ORIENTATION, 1))
            return image.height, image.width, orientation if 1 <= orientation <= 8 else 1
    except Exception:  # whatever a damaged header leads to
        return 0, 0, 1
