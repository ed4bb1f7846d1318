"""What of a test photo the network sees: the center, ten crops, or the whole at several scales (Sec. 3.4)."""

from dataclasses import dataclass

import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.errors import InputError, one_of
from keras_resnet.weights.preprocessing import CENTER_CROP

VIEWS = ("center", "10-crop", "multi-scale")
SCALES = (224, 256, 384, 480, 640)  # shorter sides at 224


@dataclass(frozen=True)
class View:
    """How each photo is shown.

    Fields:
        name: ``"center"``, the preprocessing's share of the shorter side (224 of 256); ``"10-crop"``, four corners,
            center and their mirror images at shorter side 8/7 x size; ``"multi-scale"``, the whole photo.
        scales: shorter sides in pixels of ``"multi-scale"``; None for the paper's, in proportion to the model's size
            and rounded up to multiples of its stride, as the paper's are: others leave a border that padding fills.
        flips: show the mirror images too, of ``"center"`` and ``"multi-scale"``.
    """

    name: str = "center"
    scales: tuple[int, ...] | None = None
    flips: bool = False

    def __post_init__(self):
        one_of("view", self.name, VIEWS)
        if self.scales is not None and self.name != "multi-scale":
            raise InputError(f"scales are for the view multi-scale: the view {self.name} has one size.")

    def sides(self, size: int, stride: int) -> tuple[int, ...]:
        """The shorter sides of ``"multi-scale"`` for a model of ``size`` and of ``stride`` from pixels to last map."""
        sides = self.scales or tuple(-(-scale * size // (SCALES[0] * stride)) * stride for scale in SCALES)
        if min(sides) < size:
            raise InputError(
                f"scale {min(sides)} is smaller than the {size} pixels the model was built for: leave it out."
            )
        return sides


CENTER = View()


def ten_crops(image, size: int):
    """``[10, size, size, 3]``: corners and center at shorter side 8/7 x ``size``, then their mirror images."""
    image = at_shorter_side(image, round(size / CENTER_CROP))
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    bottom, right = height - size, width - size
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = tf.stack([tf.slice(image, [top, left, 0], [size, size, 3]) for top, left in corners])
    return tf.concat([crops, tf.reverse(crops, [2])], axis=0)


def at_shorter_side(image, side: int):
    """The whole ``[height, width, 3]`` image with its shorter side at ``side`` pixels, float32."""
    extent = tf.cast(tf.shape(image)[:2], tf.float32)
    target = tf.cast(tf.round(extent * (side / tf.reduce_min(extent))), tf.int32)
    return tf.image.resize(image, tf.maximum(target, side), antialias=True)


def square_views(encoded, view: View, size: int, crop: float):
    """``[views, size, size, 3]`` float32 RGB of one file, of the views of one size."""
    if view.name == "10-crop":
        return ten_crops(augment.decode(encoded), size)
    image = augment.center_view(encoded, size, crop)
    return tf.stack([image, tf.reverse(image, [1])] if view.flips else [image])
