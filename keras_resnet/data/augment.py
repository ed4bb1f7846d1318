"""The paper's augmentation as functions of (image, seed), and the test view (Sec. 3.4, 4.2).

Images are ``[height, width, 3]``, uint8 or float32, 0 to 255; encoded images are scalar string tensors, the bytes of a
JPEG or PNG file. A seed is an integer tensor of shape ``[2]``; equal seeds give equal results.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import tensorflow as tf

from keras_resnet.data import decoding, viewing
from keras_resnet.data.strong_augment import erase, trivial_augment
from keras_resnet.typing import Tensor
from keras_resnet.weights.preprocessing import CENTER_CROP, SIDE_OVER_PADDING, Preprocessing

Augmentation: TypeAlias = Literal["trivial", "erasing"]
SCALES = (8 / 7, 15 / 7)  # ratio of shorter side to crop size: 256 to 480 pixels at 224
PCA_DEVIATION = 0.1
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


def _view(encoded, orientation, scale, fraction, mirrored, size: int):
    """A float32 ``size`` x ``size`` crop of the image resized to shorter side ``scale * size``, possibly mirrored.

    ``fraction`` in [0, 1]^2 is the position of the crop between top left and bottom right. The crop is first chosen in
    the file's own pixels; only that window is decoded, and resized once.
    """
    shape = decoding.turned_shape(encoded, orientation)
    with tf.control_dependencies([decoding.bounded(shape)]):
        window = tf.identity(crop_window(shape, scale, fraction))
    pixels = decoding.decode_window(encoded, shape, orientation, window)
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
    return center_square(decoding.decode(encoded), size, crop)


def center_square(image: Tensor, size: int, crop: float) -> Tensor:
    """The center view of a photo that is decoded already, uint8 ``[height, width, 3]``; see :func:`center_view`."""
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
