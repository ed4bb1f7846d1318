"""The photos' files themselves: their sizes, EXIF orientations and contents, and which data sets share photos."""

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

from keras_resnet.data import viewing
from keras_resnet.data.cache import cached
from keras_resnet.data.reading import read_regular
from keras_resnet.data.scan import stamp
from keras_resnet.detection.boxes import NO_OBJECTS
from keras_resnet.detection.data.annotation_checks import MAX_NAMED
from keras_resnet.detection.data.photos import SIDEWAYS, DetectionData, Photo
from keras_resnet.errors import InputError

HASH_COLUMN = 3  # of examine_files
NO_HASH = 0  # of a file that cannot be read


def examine_files(files: Sequence[Path]) -> np.ndarray:
    """The height, width and EXIF orientation of each stored picture, and its file's hash.

    The files are read once; the result is cached until one of them changes. Those that could not be read are tried
    again.

    Returns:
        uint64 ``[files, 4]``. Height and width are 0 for a file that is not a picture; hashes are 64 bits of SHA-256.
    """
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file}\0{stamp(str(file))}\0".encode(errors="surrogateescape"))

    def examine() -> np.ndarray:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.array(list(threads.map(_examine, files)), np.uint64).reshape(-1, 4)

    examined = cached(f"photos/{digest.hexdigest()[:32]}", examine, _examine, _size_and_orientation, _hash, viewing)
    for place in np.flatnonzero(examined[:, HASH_COLUMN] == NO_HASH).tolist():
        examined[place] = _examine(files[place])
    return examined


def with_orientations(photos: Sequence[Photo], source: Path, tolerated: float = 0.0) -> tuple[Photo, ...]:
    """``photos`` with the EXIF orientations that the sizes in their annotations imply.

    Args:
        photos: as annotated.
        source: the annotation file or folder, as messages name it.
        tolerated: the share of the photos whose files may have another size than annotated.

    Raises:
        InputError: more files have another size.
    """
    oriented, mismatches, ambiguous = [], [], []
    for photo, (height, width, orientation, _) in zip(
        photos, examine_files([photo.file for photo in photos]).tolist(), strict=True
    ):
        annotated = (photo.height, photo.width)
        if orientation in SIDEWAYS and annotated == (width, height) and height != width:
            photo = replace(photo, orientation=orientation)
        elif height and annotated != (height, width):
            mismatches.append(f"{photo.file} is {width} x {height} and not {photo.width} x {photo.height}")
        elif orientation > 1 and (orientation not in SIDEWAYS or height == width):
            ambiguous.append(str(photo.file))
        oriented.append(photo)
    if mismatches:
        message = (
            f"{source} gives {len(mismatches):,} images another size than their files have: "
            f"{'; '.join(mismatches[:MAX_NAMED])}. Their boxes may be wrong too: annotate these files, or correct the "
            "sizes."
        )
        if len(mismatches) > tolerated * len(photos):
            raise InputError(message)
        print(message, file=sys.stderr)
    if ambiguous:
        print(
            f"{source}: {len(ambiguous):,} photos have an EXIF orientation that keeps their size, such as "
            f"{ambiguous[0]}: their boxes are taken to refer to the picture as it is stored",
            file=sys.stderr,
        )
    return tuple(oriented)


def unannotated(name: str, file: Path) -> Photo:
    """A photo of a test part without annotations; its size is read from the file.

    Raises:
        InputError: the file is missing or not a picture.
    """
    height, width, _ = _size_and_orientation(read_regular(file)[0])
    if not height:
        raise InputError(f"{file} cannot be read as a picture: repair the file.")
    return Photo(name, file, height, width, NO_OBJECTS)


def content_hashes(data: DetectionData) -> np.ndarray:
    """64 bits of SHA-256 of each photo file's bytes, uint64 ``[photos]``, wherever the bytes are stored."""
    if not data.in_records:
        return examine_files([photo.file for photo in data.photos])[:, HASH_COLUMN]
    digest = hashlib.sha256(data.name.encode())
    for photo in data.photos:
        digest.update(f"{photo.id}\0{photo.file}\0{photo.height}\0{photo.width}\0".encode())
        digest.update(photo.objects.boxes.tobytes())

    hashes = (_hash(data.reader.fetch(position)) for position in range(len(data)))
    return cached(f"photos/records-{digest.hexdigest()[:32]}", lambda: np.array([*hashes], np.uint64), _hash)


def check_unseen(trained_on: np.ndarray, data: DetectionData, detector: str) -> None:
    """Raise :class:`InputError` if a detector has been trained on photos of the data that is to score it.

    Args:
        trained_on: :func:`content_hashes` of its training photos, uint64.
        data: what the detector is to be scored on.
        detector: its name in the message.
    """
    hashes = content_hashes(data)
    shared = np.flatnonzero(np.isin(hashes, trained_on) & (hashes != NO_HASH))
    if len(shared):
        raise InputError(
            f"{detector} is trained on {len(shared):,} of the {len(data):,} photos of {data.name}, such as "
            f"{data.photos[shared[0]].file}, which would make its scores too good: score it on photos that it has not "
            "seen."
        )


def decode_upright(encoded: bytes) -> np.ndarray:
    """A photo turned by its EXIF orientation, as a viewer shows it: uint8 ``[height, width, 3]``.

    Raises:
        tf.errors.InvalidArgumentError: it is none, or is damaged.
    """
    from keras_resnet.data.decoding import decode

    return decode(encoded).numpy()


def _examine(file: Path) -> tuple[int, int, int, int]:
    try:
        encoded, _ = read_regular(file)
    except InputError:  # the scan before training names it
        return 0, 0, 1, NO_HASH
    return *_size_and_orientation(encoded), _hash(encoded)


def _hash(encoded: bytes) -> int:
    return int.from_bytes(hashlib.sha256(encoded).digest()[:8], "little")


def _size_and_orientation(encoded: bytes) -> tuple[int, int, int]:
    """Height, width and EXIF orientation of an encoded picture; 0, 0 and 1 if it is damaged."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return image.height, image.width, int(viewing.orientation_of(encoded))
    except Exception:  # a damaged header may raise anything
        return 0, 0, 1
