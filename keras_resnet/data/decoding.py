"""Decoding photos: whole, as a viewer shows them or as they are stored, or a window of them; and their sizes.

Images are uint8 RGB ``[height, width, 3]``; encoded images are scalar string tensors, the bytes of a file.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet.data import viewing
from keras_resnet.data.reading import read_regular
from keras_resnet.data.viewing import JPEG, PNG
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

CMYK_CHANNELS = 4
MAX_PIXELS = 2**27  # of a photo: 0.4 GB when decoded; larger ones are refused from their headers
TOO_LARGE = f"it has more than {MAX_PIXELS:,} pixels"
SHAPE = (None, None, 3)


def decode(encoded: Tensor) -> Tensor:
    """A photo of any format as a viewer shows it, uint8 RGB ``[height, width, 3]``: see ``viewing``.

    Raises:
        tf.errors.InvalidArgumentError: it is not an image, is damaged, or has more than ``MAX_PIXELS``.
    """

    with tf.control_dependencies([bounded(stored_shape(encoded))]):
        return _decode(encoded)


def _decode(encoded):
    def odd():
        return viewing.turned(_decode_stored(encoded), viewing.exif_orientation(encoded))

    image = tf.cond(viewing.is_shown_as_stored(encoded), lambda: _decode_plain(encoded), odd)
    return tf.ensure_shape(image, SHAPE)


def decode_stored(encoded: Tensor) -> Tensor:
    """The same as it is stored, not turned by its EXIF orientation, which boxes of an annotation file may be of."""
    with tf.control_dependencies([bounded(stored_shape(encoded))]):
        return _decode_stored(encoded)


def _decode_stored(encoded):
    def by_pillow():
        return tf.ensure_shape(viewing.on_bytes(_by_pillow, encoded, tf.uint8), SHAPE)

    image = tf.cond(viewing.is_plain(encoded), lambda: _decode_plain(encoded), by_pillow)
    return tf.ensure_shape(image, SHAPE)


def _by_pillow(encoded: bytes) -> np.ndarray:
    try:
        return viewing.pixels_of(encoded)
    except InputError as error:
        raise InputError(f"An example of the data cannot be used: {error}.") from error


def _decode_plain(encoded):
    return tf.ensure_shape(tf.io.decode_image(encoded, channels=3, expand_animations=False), SHAPE)


def bounded(shape: Tensor) -> tf.Operation:
    """An assertion that the header of a photo announces at most ``MAX_PIXELS``, by its ``[height, width, ...]``."""
    count = tf.reduce_prod(tf.cast(shape[:2], tf.int64))
    return tf.debugging.assert_less_equal(count, tf.constant(MAX_PIXELS, tf.int64), TOO_LARGE)


def stored_shape(encoded: Tensor) -> Tensor:
    """int32 ``[height, width, channels]`` of a photo as it is stored, from its header; channels are 3 but for a JPEG.

    Raises:
        tf.errors.InvalidArgumentError: it is not an image.
    """
    kinds = [
        lambda: tf.image.extract_jpeg_shape(encoded),
        lambda: png_shape(encoded),
        lambda: tf.ensure_shape(viewing.on_bytes(_shape_by_pillow, encoded, tf.int32), [3]),
    ]
    is_png = tf.strings.substr(encoded, 0, len(PNG)) == PNG
    return tf.switch_case(tf.where(tf.io.is_jpeg(encoded), 0, tf.where(is_png, 1, 2)), kinds)


def png_shape(encoded: Tensor) -> Tensor:
    """int32 ``[height, width, 3]`` in the header of a PNG."""
    sides = tf.strings.substr(tf.strings.substr(encoded, 0, 24) + bytes(24), 16, 8)  # padded: the file may end early
    width, height = tf.unstack(tf.io.decode_raw(sides, tf.int32, little_endian=False), 2)
    return tf.stack([height, width, 3])


def _shape_by_pillow(encoded: bytes) -> np.ndarray:
    width, height = _sides(encoded)
    if not width:
        raise InputError(f"An example of the data cannot be used: {viewing.what_is_wrong(encoded)}.")
    return np.array([height, width, 3], np.int32)


def _sides(encoded: bytes) -> np.ndarray:
    """Width and height in formats other than JPEG and PNG; zeros if the bytes are not an image."""
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return np.array(picture.size, np.int32)
    except Exception:  # a damaged header can raise anything
        return np.zeros(2, np.int32)


def _pixels(encoded: bytes) -> int:
    """The number of pixels in the header of a photo, in a tenth of the time of ``stored_shape`` outside a graph."""
    if encoded.startswith(PNG):
        return int.from_bytes(encoded[16:20], "big") * int.from_bytes(encoded[20:24], "big")
    if encoded.startswith(JPEG):
        height, width, _ = tf.image.extract_jpeg_shape(encoded).numpy().tolist()
        return height * width
    width, height = _sides(encoded).tolist()
    return width * height


def decode_window(encoded: Tensor, shape: Tensor, orientation: Tensor, window: Tensor) -> Tensor:
    """The uint8 pixels of ``window`` (top, left, height, width); of a JPEG only that part is decoded.

    ``shape`` and ``orientation`` are those of the photo as a viewer shows it.
    """

    def cropped(stored):
        return tf.image.decode_and_crop_jpeg(
            encoded, stored, channels=3, fancy_upscaling=False, dct_method="INTEGER_FAST"
        )

    def cropped_and_turned():
        stored = viewing.stored_window(window, shape[:2], orientation)
        return viewing.turned(cropped(stored), orientation)

    def whole():
        return tf.slice(_decode(encoded), [window[0], window[1], 0], [window[2], window[3], 3])

    croppable = tf.logical_and(tf.io.is_jpeg(encoded), shape[2] != CMYK_CHANNELS)
    return tf.cond(
        croppable & (orientation == 1),
        lambda: cropped(window),
        lambda: tf.cond(croppable, cropped_and_turned, whole),
    )


def image_shape(encoded: Tensor) -> Tensor:
    """int32 ``[height, width, channels]`` of a photo as a viewer shows it, from its header."""
    return turned_shape(encoded, viewing.orientation(encoded))


def turned_shape(encoded: Tensor, orientation: Tensor) -> Tensor:
    """The same of a photo whose EXIF ``orientation`` is known."""
    return tf.gather(stored_shape(encoded), tf.where(orientation > 4, [1, 0, 2], [0, 1, 2]))


def at_most(encoded: Tensor, side: int) -> Tensor:
    """``encoded`` itself, or a JPEG of quality 95 resized to shorter side ``side`` if it is larger than that."""
    shape = image_shape(encoded)

    def smaller():
        scale = side / tf.reduce_min(shape[:2])
        extent = tf.cast(tf.round(tf.cast(shape[:2], tf.float64) * scale), tf.int32)
        pixels = tf.image.resize(decode(encoded), extent, antialias=True)
        return tf.io.encode_jpeg(tf.cast(tf.round(tf.clip_by_value(pixels, 0, 255)), tf.uint8), quality=95)

    return tf.cond(tf.reduce_min(shape[:2]) > side, smaller, lambda: encoded)


def problem(encoded: bytes) -> str:
    """What is wrong with the bytes of an image file, in a few words; an empty string if nothing is."""
    try:
        with tf.device("CPU:0"):
            if encoded and _pixels(encoded) > MAX_PIXELS:
                return TOO_LARGE
            plain = encoded.startswith(JPEG) or (encoded.startswith(PNG) and bool(viewing.is_plain(encoded)))
            image = _decode_plain(encoded) if plain else viewing.pixels_of(encoded)
    except tf.errors.OpError:
        return viewing.what_is_wrong(encoded)
    except InputError as error:
        return str(error)
    return "" if min(image.shape[:2]) > 0 else "it has no pixels"


def read_photo(path: str | os.PathLike) -> bytes:
    """The bytes of a photo; raises :class:`InputError` if it is missing or cannot be decoded."""
    encoded, _ = read_regular(path)
    reason = problem(encoded)
    if reason:
        raise InputError(f"{path} does not decode: {reason}.")
    return encoded


def readable_photos(paths: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    """The files that decode, with their bytes; the others are reported on standard error."""
    for path in paths:
        try:
            yield path, read_photo(path)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
