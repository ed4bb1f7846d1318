"""Batches of photos with their objects, resized, mirrored, grouped by shape, and padded to one size."""

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.pipelines import Shard, shuffled_positions
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.sampling import IGNORED, OBJECT, PADDING
from keras_resnet.errors import InputError
from keras_resnet.weights.preprocessing import Preprocessing

GROUPED = 16  # batches whose images are sorted by shape together
MULTIPLE = 32  # padded sides are multiples of this, so that there are few sizes
WHOLE = Shard()
GROUP_SEED = 2_000_000  # keeps the draws of the groups apart from those of the images


def resized(height, width, shorter: int, longer: int):
    """Whole height and width of an image whose shorter side becomes ``shorter``, the longer one at most ``longer``."""
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    scale = tf.minimum(shorter / tf.minimum(height, width), longer / tf.maximum(height, width))
    return tf.cast(tf.round(scale * height), tf.int32), tf.cast(tf.round(scale * width), tf.int32)


def prepare_image(image, shorter: int, longer: int, preprocessing: Preprocessing):
    """uint8 ``[height, width, 3]`` resized and prepared, float32."""
    height, width = resized(tf.shape(image)[0], tf.shape(image)[1], shorter, longer)
    return preprocessing(tf.image.resize(image, [height, width], antialias=True))


def detection_batches(
    data: DetectionData,
    preprocessing: Preprocessing,
    batch_size: int,
    shorter: int = 600,
    longer: int = 1000,
    seed: int = 0,
    start_step: int = 0,
    shard: Shard = WHOLE,
):
    """Endless training batches of :class:`FasterRCNN`, a function of (seed, position), from ``start_step`` on.

    Half of the images are mirrored. Wide and tall images come in batches of their own as far as each run of 16 batches
    allows. Photos without objects to learn from are left out. The next whole photo, with its own objects, stands in for
    one that can no longer be read.

    Returns:
        A data set of images float32 ``[batch, height, width, 3]``, padded with zeros on the right and below; extents
        float32 ``[batch, 2]``, their own widths and heights; boxes float32 ``[batch, objects, 4]``; object_status int32
        ``[batch, objects]`` (see ``sampling``); classes int32 ``[batch, objects]``; seeds int64 ``[batch, 2]``.

    Raises:
        InputError: no photo has an object to learn from.
    """
    useful = [i for i, photo in enumerate(data.photos) if (~photo.objects.ignored).any()]
    if not useful:
        raise InputError(f"{data.name} has no photo with an object to learn from: annotate some, or give other data.")
    shapes = np.array([data.photos[i].width / data.photos[i].height for i in useful], np.float32)
    boxes, object_status, classes = (
        Rows([part(data.photos[i]) for i in useful]) for part in (_boxes, _object_status, _classes)
    )
    sides = tf.constant([[data.photos[i].height, data.photos[i].width] for i in useful], tf.float32)
    order, useful = useful, tf.constant(useful, tf.int64)

    def view(position, image_seed):
        if data.reader is not None:
            _, position = data.reader.read_whole(position, order)
        image = data.picture(useful[position])
        image = prepare_image(image, shorter, longer, preprocessing)
        own = boxes[position]
        extent = tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float32)
        own *= tf.tile(extent / tf.reverse(sides[position], [0]), [2])
        mirrored = tf.random.stateless_uniform([], augment.fold(image_seed, 0)) < 0.5
        image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
        turned = tf.stack([extent[0] - own[:, 2], own[:, 1], extent[0] - own[:, 0], own[:, 3]], axis=1)
        own = tf.where(mirrored, turned, own)
        return image, extent, own, object_status[position], classes[position], image_seed

    stream = grouped(shapes, batch_size, seed, start_step)
    share = batch_size // shard.workers
    own = slice(shard.index * share, (shard.index + 1) * share)
    stream = stream.map(lambda position, image_seed: (position[own], image_seed[own])).unbatch()
    examples = parallel_map(stream, view)
    padding = (0.0, 0.0, 0.0, PADDING, 0, tf.constant(0, tf.int64))
    batches = examples.padded_batch(batch_size // shard.replicas, padding_values=padding, drop_remainder=True)
    return parallel_map(batches, _to_multiple).prefetch(AHEAD)


def grouped(shapes: np.ndarray, batch_size: int, seed: int, start_step: int = 0):
    """Endless batches of (positions, image seeds), from ``start_step`` on, of images of like ``shapes``.

    Each run of 16 batches of the shuffled order is sorted by shape (width over height) and cut into batches, which
    come in a random order: so any step is reached at once.
    """
    first, done = divmod(start_step, GROUPED)
    wide = tf.constant(shapes)

    def regroup(number, batch):
        position, image_seed = batch
        order = tf.argsort(tf.gather(wide, position), stable=True)
        seeds = augment.fold(tf.stack([tf.constant(seed, tf.int64), number]), GROUP_SEED)
        batches = tf.random.experimental.stateless_shuffle(tf.reshape(order, [GROUPED, batch_size]), seeds)
        batches = batches[tf.where(number == first, tf.constant(done, tf.int64), 0) :]
        return tf.data.Dataset.from_tensor_slices((tf.gather(position, batches), tf.gather(image_seed, batches)))

    runs = shuffled_positions(len(shapes), seed, first * GROUPED * batch_size).batch(GROUPED * batch_size)
    return runs.enumerate(first).flat_map(regroup)


def _to_multiple(images, *rest):
    height, width = (-tf.shape(images)[i] % MULTIPLE for i in (1, 2))
    return tf.pad(images, [[0, 0], [0, height], [0, width], [0, 0]]), *rest


class Rows:
    """Arrays of different lengths, by their position as a tensor."""

    def __init__(self, rows: list[np.ndarray]):
        self.starts = tf.constant(np.cumsum([0, *map(len, rows)]), tf.int64)
        self.values = tf.constant(np.concatenate(rows))

    def __getitem__(self, position):
        return self.values[self.starts[position] : self.starts[position + 1]]


def _boxes(photo):
    return photo.objects.boxes.astype(np.float32)


def _object_status(photo):
    return np.where(photo.objects.ignored, IGNORED, OBJECT).astype(np.int32)


def _classes(photo):
    return photo.objects.classes.astype(np.int32)
