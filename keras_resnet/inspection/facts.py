"""What one look at each photo file tells: its size, its kind, and a perceptual hash."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import fft

from keras_resnet.data import viewing
from keras_resnet.data.reading import read_regular
from keras_resnet.errors import InputError

SIDE, LOW = 32, 8  # of the small picture, and of its low frequencies, whose signs are the hash
THUMB = 16  # side of the picture by which near copies are confirmed


@dataclass(frozen=True)
class PhotoFacts:
    """Of each of a number of photos; those that cannot be read have zeros.

    Fields:
        heights, widths: in pixels as a viewer shows them, int64.
        kinds: format and kind of pixels, such as ``JPEG RGB``.
        turned: turned by EXIF, bool.
        grey: without colour, bool.
        hashes: perceptual, uint64: those of pictures that look alike differ in few bits.
        thumbs: small grey pictures, uint8 ``[photos, 16, 16]``.
    """

    heights: np.ndarray
    widths: np.ndarray
    kinds: np.ndarray
    turned: np.ndarray
    grey: np.ndarray
    hashes: np.ndarray
    thumbs: np.ndarray


def facts_of(files: Sequence[str]) -> PhotoFacts:
    """Read each of ``files`` once, in parallel."""
    import tqdm

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        facts = threads.map(_facts, files)
        rows = list(tqdm.tqdm(facts, desc="looking", total=len(files), unit=" photos", disable=None, leave=False))
    heights, widths, kinds, turned, grey, hashes, thumbs = zip(*rows, strict=True) if rows else ((),) * 7
    return PhotoFacts(
        np.array(heights, np.int64),
        np.array(widths, np.int64),
        np.array(kinds, str),
        np.array(turned, bool),
        np.array(grey, bool),
        np.array(hashes, np.uint64),
        np.array(thumbs, np.uint8).reshape(-1, THUMB, THUMB),
    )


def perceptual_hash(grey: np.ndarray) -> int:
    """64 bits of a grey picture ``[32, 32]``: which of its lowest frequencies are above their median."""
    frequencies = fft.dctn(grey.astype(np.float64), norm="ortho")[:LOW, :LOW].ravel()
    frequencies[0] = 0  # the brightness tells nothing
    return int.from_bytes(np.packbits(frequencies > np.median(frequencies)).tobytes(), "big")


def _facts(file: str) -> tuple:
    try:
        encoded, _ = read_regular(file)
        height, width, kind = viewing.viewed_size(encoded)
        picture = viewing.small_picture(encoded, 2 * SIDE)
    except (InputError, OSError, ValueError):  # found and named by the scan
        return 0, 0, "", False, False, 0, np.zeros((THUMB, THUMB), np.uint8)
    pixels = np.asarray(picture).astype(np.int64)
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    thumb = np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX))
    colourless = bool(np.ptp(pixels, axis=2).max() <= 8)  # JPEG's loss gives greys a little colour
    return (
        *(height, width, kind, viewing.orientation_of(encoded) > 1, colourless),
        *(perceptual_hash(np.asarray(grey)), thumb),
    )
