"""Batches from splits: for training an endless stream that is a function of (seed, position), else one pass."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.data.sources import Split
from keras_resnet.weights.preprocessing import Preprocessing

MEAN_IMAGES = 10_000
SHUFFLE = 1_000_000  # keeps the draws of the shuffle apart from those of the images


@dataclass(frozen=True)
class ArraySplit:
    """A split decoded into memory: uint8 ``images`` ``[examples, size, size, 3]`` and int32 ``labels``."""

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def decode_all(split: Split, size: int = 32) -> ArraySplit:
    """Decode ``split`` into memory; images of another size are resized whole to ``size`` x ``size``."""

    def load(position):
        image = augment.decode(split.encoded(position))
        same = tf.reduce_all(tf.shape(image)[:2] == size)
        resized = tf.cond(
            same,
            lambda: image,
            lambda: tf.cast(tf.round(tf.clip_by_value(_resize(image, size), 0, 255)), tf.uint8),
        )
        return tf.ensure_shape(resized, [size, size, 3])

    batches = tf.data.Dataset.range(len(split)).map(load, tf.data.AUTOTUNE).batch(1024)
    return ArraySplit(split.name, np.concatenate(list(batches.as_numpy_iterator())), split.labels)


def _resize(image, size):
    return tf.image.resize(image, [size, size], antialias=True)


def shuffled_positions(count: int, seed: int, start: int):
    """An endless data set of (position, image seed), from the ``start``-th example of the run on.

    Example k of a run is element k mod count of epoch k // count, and each epoch is a new permutation of all
    positions, so any place of a run is reached at once.
    """

    first_epoch, done = divmod(start, count)

    def epoch_positions(epoch):
        seeds = augment.fold(tf.stack([tf.constant(seed, tf.int64), epoch]), SHUFFLE)
        order = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seeds)
        first = tf.where(epoch == first_epoch, tf.constant(done, tf.int64), 0)
        return tf.data.Dataset.from_tensor_slices((order[first:], epoch * count + tf.range(first, count)))

    examples = tf.data.Dataset.counter(first_epoch).flat_map(epoch_positions)
    return examples.map(lambda position, k: (position, tf.stack([tf.constant(seed, tf.int64), k])))


def training_batches(split, view, batch_size, seed, start_step):
    """Batches of ``view(position, image seed)`` and labels, endless, from step ``start_step`` on."""
    labels = tf.constant(split.labels)

    def example(position, image_seed):
        return view(position, image_seed), tf.gather(labels, position)

    stream = shuffled_positions(len(split), seed, start_step * batch_size)
    batches = stream.map(example, tf.data.AUTOTUNE, deterministic=True).batch(batch_size, drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)


def test_batches(split, view, batch_size):
    """Batches of ``view(position)`` and labels, once, in order; the last batch may be smaller."""
    labels = tf.constant(split.labels)
    positions = tf.data.Dataset.range(len(split))
    examples = positions.map(lambda position: (view(position), tf.gather(labels, position)), tf.data.AUTOTUNE)
    return examples.batch(batch_size).prefetch(tf.data.AUTOTUNE)


def cifar_batches(
    split: ArraySplit, preprocessing: Preprocessing, batch_size: int, seed: int | None = None, start_step: int = 0
):
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels: the CIFAR protocol (Sec. 4.2).

    With a ``seed``, augmented, shuffled and endless, from step ``start_step`` on; without, one pass of the images.
    """
    images = tf.constant(split.images)
    if seed is None:
        return test_batches(split, lambda position: preprocessing(tf.gather(images, position)), batch_size)

    def view(position, image_seed):
        return augment.cifar_training_view(tf.gather(images, position), image_seed, preprocessing)

    return training_batches(split, view, batch_size, seed, start_step)


def imagenet_batches(
    split: Split,
    preprocessing: Preprocessing,
    batch_size: int,
    size: int = 224,
    seed: int | None = None,
    start_step: int = 0,
):
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels: the ImageNet protocol (Sec. 3.4).

    With a ``seed``, augmented, shuffled and endless, from step ``start_step`` on; without, one pass of center views.
    """
    if seed is None:

        def center(position):
            return preprocessing(augment.center_view(split.encoded(position), size))

        return test_batches(split, center, batch_size)

    def view(position, image_seed):
        return augment.imagenet_training_view(split.encoded(position), image_seed, size, preprocessing)

    return training_batches(split, view, batch_size, seed, start_step)


def mean_image(split: Split | ArraySplit, size: int = 224) -> np.ndarray:
    """The per-pixel mean ``[size, size, 3]`` of the images, of their center views for a :class:`Split`.

    A :class:`Split` of more than 10,000 images is sampled evenly.
    """
    if isinstance(split, ArraySplit):
        return split.images.mean(axis=0, dtype=np.float64).astype(np.float32)
    positions = np.unique(np.linspace(0, len(split) - 1, min(len(split), MEAN_IMAGES)).round().astype(np.int64))
    views = tf.data.Dataset.from_tensor_slices(positions).map(
        lambda position: augment.center_view(split.encoded(position), size), tf.data.AUTOTUNE
    )
    total = np.zeros((size, size, 3), np.float64)
    for batch in views.batch(64):
        total += batch.numpy().sum(axis=0, dtype=np.float64)
    return (total / len(positions)).astype(np.float32)
