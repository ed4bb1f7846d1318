"""Training batches of localization: random crops for the RPN, warped regions for the R-CNN (appendix C)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.data.pipelines import Shard, training_batches
from keras_resnet.detection.data.batches import mirrored, ragged
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.sampling import OBJECT, PADDING
from keras_resnet.typing import Tensor
from keras_resnet.weights.preprocessing import Preprocessing

if TYPE_CHECKING:
    from keras_resnet.localization.proposals import Proposals

WHOLE = Shard()


class Objects:
    """Pictures of ``data``, one class each, with their boxes padded to one number, by position."""

    def __init__(self, data: DetectionData):
        self.data = data
        self.most = max(len(photo.objects.boxes) for photo in data.photos)
        self.boxes = ragged([photo.objects.boxes.astype(np.float32) for photo in data.photos])
        self.classes = tf.constant([photo.objects.classes[0] for photo in data.photos], tf.int32)

    def picture(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """The picture of the first readable photo from ``position`` on, and its own position."""
        encoded, position = self.data.reader.read_whole(position)
        return self.data.decode(encoded, position), position

    def padded(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes ``[most, 4]``, and what each of them is, int32 ``[most]``; those without area are padding."""
        missing = self.most - tf.shape(boxes)[0]
        boxes = tf.ensure_shape(tf.pad(boxes, [[0, missing], [0, 0]]), [self.most, 4])
        return boxes, tf.where(tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=1), OBJECT, PADDING)


def crop_batches(
    data: DetectionData,
    preprocessing: Preprocessing,
    batch_size: int,
    size: int,
    seed: int = 0,
    start_step: int = 0,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Endless training batches of the RPN, a function of (seed, position), from ``start_step`` on.

    Each photo gives a random crop as in the training of classifiers (Sec. 3.4), with its boxes clipped to it.

    Returns:
        A data set of images float32 ``[batch, size, size, 3]``; boxes float32 ``[batch, objects, 4]``; object_status
        int32 ``[batch, objects]`` (see ``sampling``); classes int32 ``[batch]``; seeds int64 ``[batch, 2]``.
    """
    objects = Objects(data)

    def view(position, image_seed):
        picture, position = objects.picture(position)
        draws = tf.random.stateless_uniform([4], augment.fold(image_seed, 0))
        low, high = augment.SCALES
        window = augment.crop_window(tf.shape(picture), low + (high - low) * draws[0], draws[1:3])
        crop = augment.resize_crop(tf.slice(picture, [window[0], window[1], 0], [window[2], window[3], 3]), size)
        corner, factor = tf.cast(tf.gather(window, [1, 0, 1, 0]), tf.float32), size / window[2]
        boxes = tf.clip_by_value((objects.boxes[position] - corner) * tf.cast(factor, tf.float32), 0.0, float(size))
        crop, boxes = mirrored(draws[3] < 0.5, crop, boxes, float(size))
        crop = preprocessing(crop, augment.colour_shift(augment.fold(image_seed, 1)))
        return crop, *objects.padded(boxes), objects.classes[position], augment.fold(image_seed, 2)

    return training_batches(view, len(data), batch_size, seed, start_step, shard)


def warp(picture: Tensor, regions: Tensor, size: int) -> Tensor:
    """Regions ``[n, 4]`` of a picture ``[height, width, 3]``, each stretched to ``size`` x ``size``: float32.

    Pixels are interpolated bilinearly; none is taken from outside the picture.
    """
    last = tf.cast(tf.tile(tf.reverse(tf.shape(picture)[:2], [0]), [2]) - 1, tf.float32)
    half = (regions[:, 2:] - regions[:, :2]) / (2 * size)  # a pixel of the result, and half of it
    centers = tf.concat([regions[:, :2] + half, regions[:, 2:] - half], axis=1) - 0.5
    places = tf.clip_by_value(centers / tf.maximum(last, 1.0), 0.0, 1.0)
    places = tf.gather(places, [1, 0, 3, 2], axis=1)
    image = tf.cast(picture, tf.float32)[None]
    return tf.image.crop_and_resize(image, places, tf.zeros(tf.shape(regions)[:1], tf.int32), [size, size])


def region_batches(
    proposals: Proposals,
    preprocessing: Preprocessing,
    batch_size: int,
    size: int,
    seed: int = 0,
    start_step: int = 0,
    shard: Shard = WHOLE,
) -> tf.data.Dataset:
    """Endless training batches of the R-CNN, RoI-centric: an example is one region of any photo.

    A function of (seed, position), from ``start_step`` on.

    Returns:
        A data set of images float32 ``[batch, size, size, 3]``; regions float32 ``[batch, 4]``; boxes and object_status
        as in :func:`crop_batches`; classes int32 ``[batch]``.
    """
    data, regions = proposals.data, proposals.boxes
    objects, count = Objects(data), regions.shape[1]

    def view(number, image_seed):
        picture, position = objects.picture(number // count)

        def region(photo, place):
            return regions[photo, place]

        chosen = tf.numpy_function(region, [position, number % count], tf.float32, stateful=False)
        chosen = tf.ensure_shape(chosen, [4])[None]
        image = warp(picture, chosen, size)[0]
        draws = tf.random.stateless_uniform([], augment.fold(image_seed, 0)) < 0.5
        boxes = tf.concat([chosen, objects.boxes[position]], axis=0)
        image, boxes = mirrored(draws, image, boxes, tf.cast(tf.shape(picture)[1], tf.float32))
        image = preprocessing(image, augment.colour_shift(augment.fold(image_seed, 1)))
        return image, boxes[0], *objects.padded(boxes[1:]), objects.classes[position]

    return training_batches(view, len(data) * count, batch_size, seed, start_step, shard)
