"""The paper's augmentation as functions of (image, seed), and the test view (Sec. 3.4, 4.2).

Images are ``[height, width, 3]``, uint8 or float32, 0 to 255; encoded images are scalar string tensors, the bytes of a
JPEG or PNG file. A seed is an integer tensor of shape ``[2]``; equal seeds give equal results.
"""

import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet.data import viewing
from keras_resnet.data.reading import read_regular
from keras_resnet.data.strong_augment import erase, trivial_augment
from keras_resnet.data.viewing import JPEG, PNG
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor
from keras_resnet.weights.preprocessing import CENTER_CROP, SIDE_OVER_PADDING, Preprocessing

Augmentation: TypeAlias = Literal["trivial", "erasing"]
SCALES = (8 / 7, 15 / 7)  # ratio of shorter side to crop size: 256 to 480 pixels at 224
PCA_DEVIATION = 0.1
CMYK_CHANNELS = 4
MAX_PIXELS = 2**27  # of a photo: 0.4 GB when decoded; larger ones are refused from their headers
TOO_LARGE = f"it has more than {MAX_PIXELS:,} pixels"
SHAPE = (None, None, 3)
ALIASING = 2  # training views reduced by more than this factor are filtered against aliasing


@dataclass(frozen=True)
class Colours:
    """The principal components of RGB values / 255 in a training set: eigenvalues, and eigenvectors as columns."""

    values: tuple[float, ...]
    vectors: tuple[tuple[float, ...], ...]


ALEXNET_COLOURS = Colours(  # of ImageNet, from AlexNet's code (Krizhevsky et al. 2012)
    values=(0.2175, 0.0188, 0.0045),
    vectors=(
        (-0.5675, 0.7192, 0.4009),
        (-0.5808, -0.0045, -0.8140),
        (-0.5836, -0.6948, 0.4203),
    ),
)


def fold(seed: Tensor, number: int) -> Tensor:
    """The seed of draw ``number`` for the same image."""
    return tf.random.experimental.stateless_fold_in(seed, number)


def decode(encoded: Tensor) -> Tensor:
    """A photo of any format as a viewer shows it, uint8 RGB ``[height, width, 3]``: see ``viewing``.

    Raises:
        tf.errors.InvalidArgumentError: it is not an image, is damaged, or has more than ``MAX_PIXELS``.
    """

    with tf.control_dependencies([_bounded(stored_shape(encoded))]):
        return _decode(encoded)


def _decode(encoded):
    def odd():
        return viewing.turned(_decode_stored(encoded), viewing.exif_orientation(encoded))

    image = tf.cond(viewing.is_shown_as_stored(encoded), lambda: _decode_plain(encoded), odd)
    return tf.ensure_shape(image, SHAPE)


def decode_stored(encoded: Tensor) -> Tensor:
    """The same as it is stored, not turned by its EXIF orientation, which boxes of an annotation file may be of."""
    with tf.control_dependencies([_bounded(stored_shape(encoded))]):
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


def _bounded(shape):
    """Assert that the header of a photo announces at most ``MAX_PIXELS``."""
    count = tf.reduce_prod(tf.cast(shape[:2], tf.int64))
    return tf.debugging.assert_less_equal(count, tf.constant(MAX_PIXELS, tf.int64), TOO_LARGE)


def stored_shape(encoded: Tensor) -> Tensor:
    """int32 ``[height, width, channels]`` of a photo as it is stored, from its header; channels are 3 but for a JPEG.

    Raises:
        tf.errors.InvalidArgumentError: it is not an image.
    """
    head = tf.strings.substr(encoded, 0, 24) + bytes(24)  # padded, because the file may end early

    def of_png():
        width, height = tf.unstack(tf.io.decode_raw(tf.strings.substr(head, 16, 8), tf.int32, little_endian=False), 2)
        return tf.stack([height, width, 3])

    kinds = [
        lambda: tf.image.extract_jpeg_shape(encoded),
        of_png,
        lambda: tf.ensure_shape(viewing.on_bytes(_shape_by_pillow, encoded, tf.int32), [3]),
    ]
    is_png = tf.strings.substr(head, 0, len(PNG)) == PNG
    return tf.switch_case(tf.where(tf.io.is_jpeg(encoded), 0, tf.where(is_png, 1, 2)), kinds)


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


def flip(image: Tensor, seed: Tensor) -> Tensor:
    """Flip horizontally with probability one half."""
    return tf.cond(tf.random.stateless_uniform([], seed) < 0.5, lambda: tf.reverse(image, [1]), lambda: image)


def pad_and_crop(image: Tensor, seed: Tensor) -> Tensor:
    """Pad each side with zeros and take a random crop of the original size (Sec. 4.2).

    The padding is an eighth of the side, the paper's 4 pixels for images of 32.
    """
    size = tf.shape(image)
    padding = size[0] // SIDE_OVER_PADDING
    padded = tf.pad(image, [[padding, padding], [padding, padding], [0, 0]])
    at = tf.random.stateless_uniform([2], seed, 0, 2 * padding + 1, tf.int32)
    return tf.ensure_shape(tf.slice(padded, [at[0], at[1], 0], size), image.shape)


def colour_shift(seed: Tensor, colours: Colours = ALEXNET_COLOURS) -> Tensor:
    """AlexNet's PCA colour augmentation: one RGB offset ``[3]`` for the whole image, on the scale 0 to 255."""
    alphas = tf.random.stateless_normal([3], seed, stddev=PCA_DEVIATION)
    return 255.0 * tf.linalg.matvec(tf.constant(colours.vectors), alphas * tf.constant(colours.values))


def _decode_window(encoded, shape, orientation, window):
    """The uint8 pixels of ``window`` (top, left, height, width); of a JPEG only that part is decoded."""

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
    return _turned_shape(encoded, viewing.orientation(encoded))


def _turned_shape(encoded, orientation):
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


def _view(encoded, orientation, scale, fraction, mirrored, size: int):
    """A float32 ``size`` x ``size`` crop of the image resized to shorter side ``scale * size``, possibly mirrored.

    ``fraction`` in [0, 1]^2 is the position of the crop between top left and bottom right. The crop is first chosen in
    the file's own pixels; only that window is decoded, and resized once.
    """
    shape = _turned_shape(encoded, orientation)
    with tf.control_dependencies([_bounded(shape)]):
        window = tf.identity(crop_window(shape, scale, fraction))
    pixels = _decode_window(encoded, shape, orientation, window)
    pixels = tf.cond(mirrored, lambda: tf.reverse(pixels, [1]), lambda: pixels)
    return resize_crop(pixels, size)


def crop_window(shape: Tensor, scale: Tensor, fraction: Tensor) -> Tensor:
    """The window of a square crop in an image, in the image's pixels.

    Args:
        shape: of the image, height and width first.
        scale: the image's shorter side over the side of the crop.
        fraction: in [0, 1] or [0, 1]^2, the position of the crop between top left and bottom right.

    Returns:
        Top, left, height and width, int32 ``[4]``.
    """
    extent = tf.cast(shape[:2], tf.float32)
    side = tf.maximum(tf.cast(tf.round(tf.reduce_min(extent) / scale), tf.int32), 1)
    corner = tf.cast(tf.round(fraction * (extent - tf.cast(side, tf.float32))), tf.int32)
    return tf.stack([corner[0], corner[1], side, side])


def resize_crop(pixels: Tensor, size: int) -> Tensor:
    """A square crop, uint8 ``[side, side, 3]``, resized to ``size`` x ``size``, float32."""
    pixels = tf.cast(pixels, tf.float32)  # TensorFlow resizes floats a fifth faster than bytes
    resized = tf.cond(  # below that factor the slower filter gains nothing (docs/deviations.md)
        tf.shape(pixels)[0] > ALIASING * size,
        lambda: tf.image.resize(pixels, [size, size], antialias=True),
        lambda: tf.image.resize(pixels, [size, size]),
    )
    return tf.ensure_shape(resized, [size, size, 3])


def resize_whole(image: Tensor, size: int) -> Tensor:
    """``image`` resized to ``size`` x ``size``, as networks of the CIFAR protocol see it: float32, in whole numbers.

    If both sides are multiples of ``size``, each pixel is the mean of the area it covers. Otherwise the image is
    resized bilinearly, and filtered against aliasing where it shrinks.
    """
    resized = tf.cond(
        tf.reduce_all(tf.shape(image)[:2] % size == 0),
        lambda: tf.image.resize(image, [size, size], "area"),
        lambda: tf.image.resize(image, [size, size], antialias=True),
    )
    return tf.ensure_shape(tf.round(tf.clip_by_value(resized, 0, 255)), [size, size, 3])


def scale_crop_flip(encoded: Tensor, seed: Tensor, size: int) -> Tensor:
    """Shorter side uniform in [8/7, 15/7] x size, a random crop of ``size``, flipped half the time (Sec. 3.4)."""
    draws = tf.random.stateless_uniform([4], seed)  # drawn together: each draw costs as much as a small image operation
    scale = SCALES[0] + (SCALES[1] - SCALES[0]) * draws[0]
    return _view(encoded, viewing.orientation(encoded), scale, draws[1:3], draws[3] < 0.5, size)


def center_view(encoded: Tensor, size: int, crop: float = CENTER_CROP) -> Tensor:
    """The test view: the center square of side ``crop`` x shorter side, resized to ``size`` x ``size``.

    With a ``crop`` of 1 it is resized as in the CIFAR protocol, see :func:`resize_whole`.
    """
    image = decode(encoded)
    extent = tf.shape(image)[:2]
    side = tf.cast(tf.round(tf.cast(tf.reduce_min(extent), tf.float32) * crop), tf.int32)
    side = tf.maximum(side, 1)
    top, left = (extent[0] - side) // 2, (extent[1] - side) // 2
    pixels = tf.slice(image, [top, left, 0], [side, side, 3])
    if crop == 1:
        return resize_whole(pixels, size)
    return tf.ensure_shape(tf.image.resize(pixels, [size, size], antialias=True), [size, size, 3])


@dataclass(frozen=True)
class ImageNetView:
    """The network's input from an encoded image, float32 ``[size, size, 3]``, preprocessed (Sec. 3.4).

    Fields:
        preprocessing: what the network expects of its inputs, and which share of an image its test view shows.
        size: side of the view in pixels.
        colours: the principal components of the colour augmentation.
        more: further augmentation in training, "trivial" and "erasing" of ``strong_augment``.
    """

    preprocessing: Preprocessing
    size: int = 224
    colours: Colours = ALEXNET_COLOURS
    more: tuple[Augmentation, ...] = ()

    @functools.cached_property
    def training_graph(self) -> Callable[[Tensor, Tensor], Tensor]:
        """:meth:`training` as a graph, which all pipelines of this view share, so that it is traced once."""
        return tf.function(self.training, autograph=False)

    @functools.cached_property
    def test_graph(self) -> Callable[[Tensor], Tensor]:
        """:meth:`test` as a graph, likewise."""
        return tf.function(self.test, autograph=False)

    def training(self, encoded: Tensor, seed: Tensor) -> Tensor:
        """The whole training augmentation of one image: scale, crop, flip, mean, PCA colour, and ``more``."""
        image = scale_crop_flip(encoded, fold(seed, 0), self.size)
        if "trivial" in self.more:
            image = trivial_augment(image, fold(seed, 2))
        image = self.preprocessing(image, colour_shift(fold(seed, 1), self.colours))
        return erase(image, fold(seed, 3)) if "erasing" in self.more else image

    def test(self, encoded: Tensor) -> Tensor:
        """The center view, preprocessed."""
        return self.preprocessing(center_view(encoded, self.size, self.preprocessing.crop))


def cifar_training_view(image: Tensor, seed: Tensor, preprocessing: Preprocessing) -> Tensor:
    """The whole CIFAR augmentation of one image: mean, pad and crop, flip (Sec. 4.2); it is padded with the mean."""
    return flip(pad_and_crop(preprocessing(image), fold(seed, 0)), fold(seed, 1))
