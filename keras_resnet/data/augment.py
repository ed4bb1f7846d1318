"""The paper's augmentation as functions of (image, seed), and the test view (Sec. 3.4, 4.2).

Images are ``[height, width, 3]``; a seed is an integer tensor of shape ``[2]``. Equal seeds give equal results.
"""

import io
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet.data.reading import read_regular
from keras_resnet.errors import InputError
from keras_resnet.weights.preprocessing import CENTER_CROP, Preprocessing

SCALES = (8 / 7, 15 / 7)  # shorter side over crop size: 256 to 480 at 224
SIDE_OVER_PADDING = 8  # CIFAR's 32 pixels are padded by 4 on each side
PCA_DEVIATION = 0.1
CMYK_CHANNELS = 4
MOST_PIXELS = 2**27  # of a photo, which take 0.4 GB as they are decoded; larger ones are refused by their headers
TOO_LARGE = f"it has more than {MOST_PIXELS:,} pixels"
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
ALIASING = 2  # file pixels for one of the view's from which a training view is filtered before it is sampled


@dataclass(frozen=True)
class Colours:
    """The principal components of a training set's RGB values / 255: eigenvalues, and eigenvectors as columns."""

    values: tuple[float, ...]
    vectors: tuple[tuple[float, ...], ...]


ALEXNET_COLOURS = Colours(  # of ImageNet, as in AlexNet's code (Krizhevsky et al. 2012)
    values=(0.2175, 0.0188, 0.0045),
    vectors=(
        (-0.5675, 0.7192, 0.4009),
        (-0.5808, -0.0045, -0.8140),
        (-0.5836, -0.6948, 0.4203),
    ),
)


def fold(seed, number: int):
    """A seed for one of several draws of the same image."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def decode(encoded):
    """Any JPEG (also grey or CMYK) or PNG as uint8 RGB.

    Raises:
        tf.errors.InvalidArgumentError: it is not an image, is damaged, or has more than ``MOST_PIXELS``.
    """
    with tf.control_dependencies([_bounded(encoded)]):
        image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])
    return image


def _bounded(encoded):
    """Assert that the header of a photo promises no more than ``MOST_PIXELS``."""
    head = tf.strings.substr(encoded, 0, 24) + bytes(24)  # of a file that may end early
    pixels = tf.cond(
        tf.strings.substr(head, 0, len(PNG)) == PNG,
        lambda: tf.io.decode_raw(tf.strings.substr(head, 16, 8), tf.int32, little_endian=False),
        lambda: tf.cond(
            tf.io.is_jpeg(encoded),
            lambda: tf.image.extract_jpeg_shape(encoded)[:2],
            lambda: tf.ensure_shape(tf.numpy_function(_sides, [encoded], tf.int32, stateful=False), [2]),
        ),
    )
    count = tf.reduce_prod(tf.cast(pixels, tf.int64))
    return tf.debugging.assert_less_equal(count, tf.constant(MOST_PIXELS, tf.int64), TOO_LARGE)


def _sides(encoded: bytes) -> np.ndarray:
    """Width and height of the other formats that TensorFlow decodes; zeros of what is no picture."""
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return np.array(picture.size, np.int32)
    except Exception:  # whatever a damaged header leads to
        return np.zeros(2, np.int32)


def _pixels(encoded: bytes) -> int:
    """As many as the header of a photo promises, in a tenth of the time of ``_bounded`` outside a graph."""
    if encoded.startswith(PNG):
        return int.from_bytes(encoded[16:20], "big") * int.from_bytes(encoded[20:24], "big")
    if encoded.startswith(JPEG):
        height, width, _ = tf.image.extract_jpeg_shape(encoded).numpy().tolist()
        return height * width
    width, height = _sides(encoded).tolist()
    return width * height


def problem(encoded: bytes) -> str:
    """What is wrong with the bytes of an image file, in a few words; an empty string for nothing."""
    try:
        with tf.device("CPU:0"):
            if _pixels(encoded) > MOST_PIXELS:
                return TOO_LARGE
            image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    except tf.errors.OpError as error:
        return error.message.split("\n")[0].split("}} ")[-1].split(" [Op:")[0][:200]
    return "" if min(image.shape[:2]) > 0 else "it has no pixels"


def read_photo(path) -> bytes:
    """The bytes of a JPEG or PNG file; raises :class:`InputError` naming one that is missing or does not decode."""
    encoded, _ = read_regular(path)
    found = problem(encoded)
    if found:
        raise InputError(f"{path} does not decode: {found if found == TOO_LARGE else 'give a JPEG or PNG file'}.")
    return encoded


def flip(image, seed):
    """Mirror left and right with probability one half."""
    return tf.cond(tf.random.stateless_uniform([], seed) < 0.5, lambda: tf.reverse(image, [1]), lambda: image)


def pad_and_crop(image, seed):
    """Pad each side with zeros and crop at the image's own size, each position equally likely (Sec. 4.2).

    The padding is the paper's 4 pixels for images of 32, and the same share of others.
    """
    size = tf.shape(image)
    padding = size[0] // SIDE_OVER_PADDING
    padded = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    at = tf.random.stateless_uniform([2], seed, 0, 2 * padding + 1, tf.int32)
    return tf.ensure_shape(tf.slice(padded, [at[0], at[1], 0], size), image.shape)


def colour_shift(seed, colours: Colours = ALEXNET_COLOURS):
    """AlexNet's PCA colour augmentation: one RGB offset for the whole image, in units of 0 to 255, ``[3]``."""
    alphas = tf.random.stateless_normal([3], seed, stddev=PCA_DEVIATION)
    return 255.0 * tf.linalg.matvec(tf.constant(colours.vectors), alphas * tf.constant(colours.values))


def _decode_window(encoded, shape, window):
    """The uint8 pixels of ``window`` (top, left, height, width), decoding no more of a JPEG than it needs."""
    croppable = tf.logical_and(tf.io.is_jpeg(encoded), shape[2] != CMYK_CHANNELS)
    return tf.cond(
        croppable,
        lambda: tf.image.decode_and_crop_jpeg(
            encoded, window, channels=3, fancy_upscaling=False, dct_method="INTEGER_FAST"
        ),
        lambda: tf.slice(decode(encoded), [window[0], window[1], 0], [window[2], window[3], 3]),
    )


def image_shape(encoded):
    """int32 ``[height, width, channels]`` of a file, from its header alone for a JPEG."""
    return tf.cond(
        tf.io.is_jpeg(encoded), lambda: tf.image.extract_jpeg_shape(encoded), lambda: tf.shape(decode(encoded))
    )


def at_most(encoded, side: int):
    """A photo whose shorter side has ``side`` pixels at most: the file itself, or a smaller JPEG of quality 95."""
    shape = image_shape(encoded)

    def smaller():
        scale = side / tf.reduce_min(shape[:2])
        extent = tf.cast(tf.round(tf.cast(shape[:2], tf.float64) * scale), tf.int32)
        pixels = tf.image.resize(decode(encoded), extent, antialias=True)
        return tf.io.encode_jpeg(tf.cast(tf.round(tf.clip_by_value(pixels, 0, 255)), tf.uint8), quality=95)

    return tf.cond(tf.reduce_min(shape[:2]) > side, smaller, lambda: encoded)


def _view(encoded, shape, scale, fraction, mirrored, size: int):
    """A ``size`` x ``size`` float32 crop of the image resized to shorter side ``scale * size``, or its mirror image.

    ``fraction`` in [0, 1]^2 is the crop's place between top left and bottom right. The crop is chosen first, in the
    file's own pixels, and only that window is decoded, mirrored and resized, once.
    """
    window = crop_window(shape, scale, fraction)
    pixels = _decode_window(encoded, shape, window)
    pixels = tf.cond(mirrored, lambda: tf.reverse(pixels, [1]), lambda: pixels)
    return resize_crop(pixels, size)


def crop_window(shape: tf.Tensor | tuple[int, ...], scale: tf.Tensor | float, fraction: tf.Tensor | float) -> tf.Tensor:
    """Top, left, height and width, int32 ``[4]``, of a square crop of an image of ``shape``, in the image's pixels.

    The image's shorter side is ``scale`` crops long; ``fraction`` in [0, 1]^2 is the crop's place between top left and
    bottom right.
    """
    extent = tf.cast(shape[:2], tf.float32)
    side = tf.maximum(tf.cast(tf.round(tf.reduce_min(extent) / scale), tf.int32), 1)
    corner = tf.cast(tf.round(fraction * (extent - tf.cast(side, tf.float32))), tf.int32)
    return tf.stack([corner[0], corner[1], side, side])


def resize_crop(pixels: tf.Tensor, size: int) -> tf.Tensor:
    """A square crop, uint8, at ``size`` x ``size``, float32."""
    pixels = tf.cast(pixels, tf.float32)  # of which TensorFlow resizes a fifth faster than of bytes
    resized = tf.cond(  # a triangle filter is several times slower and gains nothing below (docs/deviations.md)
        tf.shape(pixels)[0] > ALIASING * size,
        lambda: tf.image.resize(pixels, [size, size], antialias=True),
        lambda: tf.image.resize(pixels, [size, size]),
    )
    return tf.ensure_shape(resized, [size, size, 3])


def scale_crop_flip(encoded, seed, size: int):
    """Shorter side uniform in [8/7, 15/7] x size, a random crop of ``size``, mirrored half the time (Sec. 3.4)."""
    draws = tf.random.stateless_uniform([4], seed)  # at once: each draw costs as much as a small image operation
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * draws[0]
    return _view(encoded, image_shape(encoded), scale, draws[1:3], draws[3] < 0.5, size)


def center_view(encoded, size: int, crop: float = CENTER_CROP):
    """The test view: the center square of ``crop`` of the shorter side, at ``size``; decoded at full quality."""
    image = decode(encoded)
    extent = tf.shape(image)[:2]
    side = tf.cast(tf.round(tf.cast(tf.reduce_min(extent), tf.float32) * crop), tf.int32)
    side = tf.maximum(side, 1)
    top, left = (extent[0] - side) // 2, (extent[1] - side) // 2
    pixels = tf.slice(image, [top, left, 0], [side, side, 3])
    return tf.ensure_shape(tf.image.resize(pixels, [size, size], antialias=True), [size, size, 3])


def imagenet_training_view(encoded, seed, size: int, preprocessing: Preprocessing, colours: Colours = ALEXNET_COLOURS):
    """The whole ImageNet training augmentation of one file: scale, crop, flip, mean, PCA colour (Sec. 3.4)."""
    image = scale_crop_flip(encoded, fold(seed, 0), size)
    return preprocessing(image, colour_shift(fold(seed, 1), colours))


def cifar_training_view(image, seed, preprocessing: Preprocessing):
    """The whole CIFAR augmentation of one image: mean, pad and crop, flip (Sec. 4.2); the padding is the mean."""
    return flip(pad_and_crop(preprocessing(image), fold(seed, 0)), fold(seed, 1))
