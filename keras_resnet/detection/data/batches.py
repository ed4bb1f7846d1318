"""Training batches of photos with their objects: resized, mirrored, grouped by aspect ratio, and padded."""

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.pipelines import Shard, shuffled_positions
from keras_resnet.detection.data.box_augment import augmented
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_specs import ImageSize, TrainingView
from keras_resnet.detection.sampling import IGNORED, OBJECT, PADDING
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor
from keras_resnet.weights.preprocessing import Preprocessing

GROUPED = 16  # batches whose photos are sorted by aspect ratio together
MULTIPLE = 32  # padded sides are multiples of it, so that there are few different sizes
IMAGE_SIZE, SHARD = ImageSize(), Shard()
GROUP_SEED = 2_000_000  # keeps the draws of groups apart from those of photos


def resized_sides(height: Tensor, width: Tensor, shorter: float, longer: float) -> tuple[Tensor, Tensor]:
    """The height and width, int32, of an image resized to a shorter side of ``shorter``, at most ``longer`` long.

    They are 1 at least, to which the shorter side of a photo that is a mere line would be rounded down to 0.
    """
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    scale = tf.minimum(shorter / tf.minimum(height, width), longer / tf.maximum(height, width))
    height, width = (tf.maximum(tf.round(scale * side), 1.0) for side in (height, width))
    return tf.cast(height, tf.int32), tf.cast(width, tf.int32)


def resize_image(image: Tensor, shorter: float, longer: float) -> Tensor:
    """``image``, uint8 ``[height, width, 3]``, with a shorter side of ``shorter``, at most ``longer`` long, float32."""
    sides = resized_sides(tf.shape(image)[0], tf.shape(image)[1], shorter, longer)
    return tf.image.resize(image, sides, antialias=True)


def prepare_image(image: Tensor, shorter: float, longer: float, preprocessing: Preprocessing) -> Tensor:
    """``image``, uint8 ``[height, width, 3]``, resized and preprocessed, float32."""
    return preprocessing(resize_image(image, shorter, longer))


def detection_batches(
    data: DetectionData,
    preprocessing: Preprocessing,
    batch_size: int,
    image_size: ImageSize = IMAGE_SIZE,
    seed: int = 0,
    start_step: int = 0,
    shard: Shard = SHARD,
) -> tf.data.Dataset:
    """Endless training batches for :class:`~keras_resnet.detection.FasterRCNN`, a function of the seed and the step.

    Half of the photos are mirrored. Wide and tall ones are in different batches as far as each run of 16 batches
    allows. Photos without objects to learn from are left out. A photo that can no longer be read is replaced by the
    next one that can, with its own objects.

    Args:
        data: the training photos.
        preprocessing: of the images.
        batch_size: over all workers.
        image_size: to which they are resized; a :class:`TrainingView` augments them too.
        seed: of the order and of mirroring.
        start_step: the step of the first batch.
        shard: the worker whose share of each batch is made.

    Returns:
        Tuples of images float32 ``[batch, height, width, 3]``, padded with zeros on the right and below; extents
        float32 ``[batch, 2]``, widths and heights without padding; boxes float32 ``[batch, objects, 4]``; object_status
        int32 ``[batch, objects]`` (see ``sampling``); classes int32 ``[batch, objects]``; seeds int64 ``[batch, 2]``.

    Raises:
        InputError: no photo has an object to learn from.
    """
    useful = [position for position, photo in enumerate(data.photos) if not photo.objects.ignored.all()]
    if not useful:
        raise InputError(f"{data.name} has no photo with an object to learn from: annotate some, or give other data.")
    photos = [data.photos[position] for position in useful]
    boxes = ragged([photo.objects.boxes.astype(np.float32) for photo in photos])
    classes = ragged([photo.objects.classes.astype(np.int32) for photo in photos])
    object_status = ragged([np.where(photo.objects.ignored, IGNORED, OBJECT).astype(np.int32) for photo in photos])
    sizes = tf.constant([[photo.width, photo.height] for photo in photos], tf.float32)
    positions = tf.constant(useful, tf.int64)
    chosen = image_size.augment if isinstance(image_size, TrainingView) else ()

    def example(place: Tensor, image_seed: Tensor) -> tuple[Tensor, ...]:
        encoded, place = data.reader.read_whole(place, useful)
        image = data.decode(encoded, positions[place])
        corners = boxes[place]
        image = resize_image(image, image_size.shorter, image_size.longer)
        corners = corners * tf.tile(_extent(image) / sizes[place], [2])
        image, corners = augmented(image, corners, image_seed, chosen)
        image, extent = preprocessing(image), _extent(image)
        turns = tf.random.stateless_uniform([], augment.fold(image_seed, 0)) < 0.5
        image, corners = mirrored(turns, image, corners, extent[0])
        return image, extent, corners, object_status[place], classes[place], image_seed

    stream = grouped_positions((sizes[:, 0] / sizes[:, 1]).numpy(), batch_size, seed, start_step)
    share = batch_size // shard.workers
    part = slice(shard.index * share, (shard.index + 1) * share)
    stream = stream.map(lambda place, image_seed: (place[part], image_seed[part])).unbatch()
    padding = (0.0, 0.0, 0.0, PADDING, 0, tf.constant(0, tf.int64))
    batches = parallel_map(stream, example).padded_batch(
        batch_size // shard.replicas, padding_values=padding, drop_remainder=True
    )
    return parallel_map(batches, _to_multiple).prefetch(AHEAD)


def mirrored(whether: Tensor, image: Tensor, boxes: Tensor, width: Tensor) -> tuple[Tensor, Tensor]:
    """An image ``[height, width, 3]`` and boxes ``[n, 4]`` in its pixels, both mirrored if ``whether`` is true."""
    turned = tf.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    image = tf.cond(whether, lambda: tf.reverse(image, [1]), lambda: image)
    return image, tf.where(whether, turned, boxes)


def grouped_positions(ratios: np.ndarray, batch_size: int, seed: int, start_step: int = 0) -> tf.data.Dataset:
    """Endless batches of positions and image seeds, of photos with similar aspect ratios, from ``start_step`` on.

    Each run of 16 batches of the shuffled order is sorted by aspect ratio and cut into batches, which come in random
    order. So any step can be reached without those before it.

    Args:
        ratios: float32 ``[photos]``, width over height.
        batch_size: over all workers.
        seed: of the order.
        start_step: the step of the first batch.

    Returns:
        Pairs of int64 ``[batch]`` and int64 ``[batch, 2]``.
    """
    first, done = divmod(start_step, GROUPED)
    aspect_ratios = tf.constant(ratios)

    @tf.autograph.experimental.do_not_convert
    def regroup(number: Tensor, batch: tuple[Tensor, Tensor]) -> tf.data.Dataset:
        position, image_seed = batch
        order = tf.argsort(tf.gather(aspect_ratios, position), stable=True)
        seeds = augment.fold(tf.stack([tf.constant(seed, tf.int64), number]), GROUP_SEED)
        batches = tf.random.experimental.stateless_shuffle(tf.reshape(order, [GROUPED, batch_size]), seeds)
        batches = batches[tf.where(number == first, tf.constant(done, tf.int64), 0) :]
        return tf.data.Dataset.from_tensor_slices((tf.gather(position, batches), tf.gather(image_seed, batches)))

    runs = shuffled_positions(len(ratios), seed, first * GROUPED * batch_size).batch(GROUPED * batch_size)
    return runs.enumerate(first).flat_map(regroup)


def _extent(image: Tensor) -> Tensor:
    """Width and height, float32 ``[2]``."""
    return tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float32)


def _to_multiple(images: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
    height, width = (-tf.shape(images)[axis] % MULTIPLE for axis in (1, 2))
    return tf.pad(images, [[0, 0], [0, height], [0, width], [0, 0]]), *rest


def ragged(arrays: list[np.ndarray]) -> tf.RaggedTensor:
    """Arrays of different lengths as one tensor, whose rows they are."""
    return tf.RaggedTensor.from_row_lengths(np.concatenate(arrays), [len(array) for array in arrays])
