"""Views of a test photo: its center, ten crops, or the whole photo at several scales (Sec. 3.4)."""

from dataclasses import dataclass
from typing import get_args

import tensorflow as tf

from keras_resnet.data import augment, decoding
from keras_resnet.errors import InputError, one_of
from keras_resnet.typing import Tensor, ViewName
from keras_resnet.weights.preprocessing import CENTER_CROP

VIEWS: tuple[ViewName, ...] = get_args(ViewName)
SCALES = (224, 256, 384, 480, 640)  # shorter sides for a model of 224 pixels


@dataclass(frozen=True)
class View:
    """The views of each photo, over which scores are averaged.

    Fields:
        name: ``"center"``, the part of the photo that the preprocessing's ``crop`` gives (224 of 256); ``"10-crop"``,
            the four corners, the center and their mirror images at shorter side 8/7 x size; ``"multi-scale"``, the
            whole photo at several scales.
        scales: shorter sides, in pixels, for ``"multi-scale"``. None gives the paper's scales, in proportion to the
            model's size and rounded up to multiples of its stride: other sizes leave a border filled by padding.
        flips: whether mirror images are used too, for ``"center"`` and ``"multi-scale"``.
    """

    name: ViewName = "center"
    scales: tuple[int, ...] | None = None
    flips: bool = False

    def __post_init__(self):
        one_of("view", self.name, VIEWS)
        if self.scales is not None and self.name != "multi-scale":
            raise InputError(f"scales are for the view multi-scale: the view {self.name} has a single size.")
        if self.flips and self.name == "10-crop":
            raise InputError("flips are for the views center and multi-scale: 10-crop has mirror images already.")

    def sides(self, size: int, stride: int) -> tuple[int, ...]:
        """The shorter sides of ``"multi-scale"`` for a model of ``size`` pixels with this total ``stride``."""
        sides = self.scales or tuple(-(-scale * size // (SCALES[0] * stride)) * stride for scale in SCALES)
        if min(sides) < size:
            raise InputError(
                f"scale {min(sides)} is smaller than the {size} pixels for which the model was built: leave it out."
            )
        return sides


CENTER = View()


def ten_crops(image: Tensor, size: int) -> Tensor:
    """The four corners and the center at shorter side 8/7 x ``size``, then their mirror images.

    From ``[height, width, 3]`` to float32 ``[10, size, size, 3]``.
    """
    image = at_shorter_side(image, round(size / CENTER_CROP))
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    bottom, right = height - size, width - size
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = tf.stack([tf.slice(image, [top, left, 0], [size, size, 3]) for top, left in corners])
    return tf.concat([crops, tf.reverse(crops, [2])], axis=0)


def at_shorter_side(image: Tensor, side: int) -> Tensor:
    """The image ``[height, width, 3]`` resized to ``side`` pixels on its shorter side, float32."""
    extent = tf.cast(tf.shape(image)[:2], tf.float32)
    target = tf.cast(tf.round(extent * (side / tf.reduce_min(extent))), tf.int32)
    return tf.image.resize(image, tf.maximum(target, side), antialias=True)


def square_views(encoded: Tensor, view: View, size: int, crop: float) -> Tensor:
    """The views of an encoded photo for the view "center" or "10-crop", float32 RGB ``[views, size, size, 3]``."""
    if view.name == "10-crop":
        return ten_crops(decoding.decode(encoded), size)
    image = augment.center_view(encoded, size, crop)
    return tf.stack([image, tf.reverse(image, [1])] if view.flips else [image])
