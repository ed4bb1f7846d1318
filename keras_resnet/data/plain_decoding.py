"""JPEG and PNG photos as ``decoding`` decodes them, by TensorFlow's operations alone, as a SavedModel needs them.

A SavedModel that calls Python fails in every other process. What is read here differs only where a PNG has its
orientation in XMP data alone, which is not read, and where EXIF data are damaged.
"""

from collections.abc import Callable

import tensorflow as tf

from keras_resnet.data import viewing
from keras_resnet.data.decoding import SHAPE, bounded, png_shape
from keras_resnet.data.viewing import APP1, ENDS_HEADER, EXIF, JPEG, MAX_SEGMENTS, ORIENTATION, PNG, WITHOUT_LENGTH
from keras_resnet.typing import Tensor

NEITHER = "it is neither a JPEG nor a PNG file: convert it"
EXIF_BYTES = 2**16  # the most that a JPEG has
TIFF, ENTRY = 42, 12  # the number that begins EXIF data, and the bytes of an entry
SHORT, LONG = 3, 4  # types of an entry: numbers of two and four bytes
ALPHA_TYPES = (4, 6)  # in the header of a PNG with an alpha channel


def is_decodable(encoded: bytes) -> bool:
    """Whether a file begins as a JPEG or PNG, the formats that are decoded here."""
    return encoded.startswith((JPEG, PNG))


def decode(encoded: Tensor) -> Tensor:
    """A JPEG or PNG as a viewer shows it, uint8 RGB ``[height, width, 3]``.

    Raises:
        tf.errors.InvalidArgumentError: it is neither, is damaged, or has more than ``decoding.MAX_PIXELS``; with
            transparency, more than ``viewing.MAX_PILLOW_PIXELS``.
    """
    is_jpeg, is_png = tf.io.is_jpeg(encoded), tf.strings.substr(encoded, 0, len(PNG)) == PNG
    with tf.control_dependencies([tf.debugging.assert_equal(is_jpeg | is_png, True, NEITHER)]):
        shape = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(encoded), lambda: png_shape(encoded))
    with tf.control_dependencies([bounded(shape)]):
        image = tf.cond(is_jpeg, lambda: tf.io.decode_jpeg(encoded, channels=3), lambda: _decode_png(encoded, shape))
    return tf.ensure_shape(viewing.turned(image, exif_orientation(encoded)), SHAPE)


def _decode_png(encoded, shape):
    def clear():
        small = tf.reduce_prod(tf.cast(shape, tf.int64)) <= 3 * viewing.MAX_PILLOW_PIXELS
        with tf.control_dependencies([tf.debugging.assert_equal(small, True, viewing.TOO_LARGE)]):
            return _on_white(tf.io.decode_png(encoded, channels=4))

    padded = encoded + bytes(ENTRY)
    place = _first_in_png(padded, "tRNS")
    has_alpha = _among(_number(padded, tf.constant(25, tf.int64), 1), ALPHA_TYPES) | (_kind(padded, place) == "tRNS")
    # with four channels, TensorFlow decodes greys of less than 8 bits wrongly
    return tf.cond(has_alpha, clear, lambda: tf.io.decode_png(encoded, channels=3))


def _on_white(image):
    """RGBA in RGB, rounded as Pillow does it."""
    values = tf.cast(image, tf.float32)
    alpha = values[..., 3:]
    return tf.cast(tf.round((values[..., :3] * alpha + 255 * (255 - alpha)) / 255), tf.uint8)


def exif_orientation(encoded: Tensor) -> Tensor:
    """The EXIF orientation, 1 to 8, of a JPEG's or PNG's bytes, a scalar string tensor: scalar int32."""
    padded = encoded + bytes(ENTRY)  # so that bytes can be read at every place
    data = tf.cond(tf.io.is_jpeg(encoded), lambda: _exif_of_jpeg(padded), lambda: _exif_of_png(padded))
    digits = tf.concat([tf.cast(tf.io.decode_raw(data, tf.uint8), tf.int64), tf.zeros([1], tf.int64)], 0)
    is_big_endian = digits[0] == ord("M")

    def numbers(places: Tensor, size: int) -> Tensor:
        powers = tf.range(size, dtype=tf.int64)
        digit_of = tf.gather(digits, tf.minimum(places[:, None] + powers, tf.size(digits, tf.int64) - 1))
        return tf.reduce_sum(digit_of * 256 ** tf.where(is_big_endian, powers[::-1], powers), axis=1)

    directory = numbers(tf.constant([4], tf.int64), 4)
    count = tf.minimum(numbers(directory, 2), EXIF_BYTES // ENTRY)
    entries = directory + 2 + ENTRY * tf.range(count[0])
    types = numbers(entries + 2, 2)
    values = tf.where(types == SHORT, numbers(entries + 8, 2), numbers(entries + 8, 4))
    is_number = ((types == SHORT) | (types == LONG)) & (numbers(entries + 4, 4) == 1)
    is_tiff = numbers(tf.constant([2], tf.int64), 2) == TIFF
    valid = is_tiff & is_number & (numbers(entries, 2) == ORIENTATION) & (values >= 1) & (values <= 8)
    first = tf.concat([tf.boolean_mask(values, valid), tf.ones([1], tf.int64)], 0)
    return tf.cast(first[0], tf.int32)


def _exif_of_jpeg(padded):
    """The first EXIF data before the pixels of a JPEG, empty if there are none."""

    def marker(place):
        return _number(padded, place + 1, 1)

    def is_exif(place):
        return (marker(place) == APP1) & (tf.strings.substr(padded, place + 4, len(EXIF)) == EXIF)

    def is_end(place):
        is_segment = _number(padded, place, 1) == 0xFF
        return ~is_segment | _among(marker(place), ENDS_HEADER) | is_exif(place)

    def step(place):
        length = _if(~_among(marker(place), WITHOUT_LENGTH), _number(padded, place + 2, 2))
        return 1 + _if(marker(place) != 0xFF, 1 + length)

    place = _first(padded, 2, is_end, step)
    length = _if(is_exif(place), _number(padded, place + 2, 2) - 2 - len(EXIF))
    return tf.strings.substr(padded, place + 4 + len(EXIF), tf.maximum(length, 0))


def _exif_of_png(padded):
    """The EXIF data before the pixels of a PNG, empty if there are none."""
    place = _first_in_png(padded, "eXIf")
    length = _if(_kind(padded, place) == "eXIf", tf.minimum(_number(padded, place, 4), EXIF_BYTES))
    return tf.strings.substr(padded, place + 8, length)


def _first_in_png(padded, kind: str):
    """The place of the first part of a kind before the pixels of a PNG, or that of something else."""
    return _first(
        padded,
        8,
        lambda place: _among(_kind(padded, place), (kind, "IDAT", "IEND")),
        lambda place: ENTRY + _number(padded, place, 4),
    )


def _kind(padded, place):
    return tf.strings.substr(padded, place + 4, 4)


def _first(padded: Tensor, begin: int, is_end: Callable[[Tensor], Tensor], step: Callable[[Tensor], Tensor]) -> Tensor:
    """The first place, from ``begin`` on by steps, that is the end; that of the padding if none is."""
    last = _length(padded) - ENTRY
    (place,) = tf.while_loop(
        lambda place: (place < last) & ~is_end(place),
        lambda place: (tf.minimum(place + step(place), last),),
        (tf.minimum(tf.constant(begin, tf.int64), last),),
        maximum_iterations=MAX_SEGMENTS,
    )
    return place


def _number(padded, place, size: int):
    """The ``size`` bytes at ``place`` as a number, the highest first, int64."""
    digits = tf.io.decode_raw(tf.strings.substr(padded, place, size), tf.uint8)
    return tf.reduce_sum(tf.cast(digits, tf.int64) * 256 ** tf.range(size, dtype=tf.int64)[::-1])


def _if(condition, value):
    """``value``, or 0."""
    return tf.where(condition, value, tf.zeros([], tf.int64))


def _among(value, choices):
    return tf.reduce_any(value == tf.constant(choices, value.dtype))


def _length(text):
    return tf.cast(tf.strings.length(text), tf.int64)
