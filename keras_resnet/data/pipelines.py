"""Batches from splits: for training an endless stream that is a function of (seed, position), else one pass."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.splits import Split
from keras_resnet.errors import InputError
from keras_resnet.weights.preprocessing import Preprocessing

SHUFFLE = 1_000_000  # keeps the draws of the shuffle apart from those of the images


@dataclass(frozen=True)
class Shard:
    """One worker's share of every batch: worker ``index`` of ``workers``, with ``replicas`` devices in all."""

    index: int = 0
    workers: int = 1
    replicas: int = 1


@dataclass(frozen=True)
class ArraySplit:
    """A split decoded into memory: uint8 ``images`` ``[examples, size, size, 3]`` and int32 ``labels``."""

    reader: ClassVar[None] = None  # nothing is read any more

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, position: int) -> str:
        """What reports call the image at ``position``: its place."""
        return f"number {position} of {self.name}"

    def picture(self, position: int) -> np.ndarray:
        """The image at ``position`` to look at, uint8 ``[size, size, 3]``."""
        return self.images[position]

    def spread(self, count: int) -> "ArraySplit":
        """``count`` of the images, evenly spaced, so that folders sorted by class give of each."""
        check_count(self, count)
        chosen = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        return ArraySplit(f"{count:,} of {self.name}", self.images[chosen], self.labels[chosen])

    def joined(self, other: "ArraySplit") -> "ArraySplit":
        """These images, then those of ``other``."""
        images, labels = (np.concatenate(both) for both in ((self.images, other.images), (self.labels, other.labels)))
        return ArraySplit(f"{self.name} and {other.name}", images, labels)


def check_count(split, count: int) -> None:
    """Raise :class:`InputError` if ``split`` has fewer than ``count`` images."""
    if count > len(split):
        raise InputError(f"{split.name} has {len(split)} images, not {count}: ask for fewer.")


def decode_all(split: Split, size: int = 32) -> ArraySplit:
    """Decode ``split`` into memory, uint8; images of another size are resized whole to ``size`` x ``size``.

    Where both sides are whole multiples of ``size``, a pixel is the mean of the square that it stands for; other sizes
    are resized bilinearly, filtered where they shrink.
    """

    def load(position):
        encoded, label = split.read(position)
        image = augment.decode(encoded)
        sides = tf.shape(image)[:2]
        resized = tf.case(
            [
                (tf.reduce_all(sides == size), lambda: image),
                (tf.reduce_all(sides % size == 0), lambda: _rounded(tf.image.resize(image, [size, size], "area"))),
            ],
            default=lambda: _rounded(tf.image.resize(image, [size, size], antialias=True)),
        )
        return tf.ensure_shape(resized, [size, size, 3]), label

    batches = parallel_map(tf.data.Dataset.range(len(split)), load).batch(1024)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return ArraySplit(split.name, np.concatenate(images), np.concatenate(labels))


def _rounded(image):
    return tf.cast(tf.round(tf.clip_by_value(image, 0, 255)), tf.uint8)


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
        numbers = epoch * count + tf.range(first, count)
        image_seeds = tf.stack([tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64)), numbers], axis=1)
        return tf.data.Dataset.from_tensor_slices((order[first:], image_seeds))

    return tf.data.Dataset.counter(first_epoch).flat_map(epoch_positions)


def training_batches(view, count, batch_size, seed, start_step, shard=Shard(), finish=None):
    """Batches of what ``view(position, image seed)`` gives, endless, from step ``start_step`` on.

    The batches of the shards together are those of one device, example for example. ``finish(batch, seed)`` changes
    whole batches.
    """
    stream = shuffled_positions(count, seed, start_step * batch_size)
    if shard.workers > 1:
        share = batch_size // shard.workers
        own = slice(shard.index * share, (shard.index + 1) * share)
        stream = stream.batch(batch_size).map(lambda position, image_seed: (position[own], image_seed[own])).unbatch()
    share = batch_size // shard.replicas
    if finish is None:
        return parallel_map(stream, view).batch(share, drop_remainder=True).prefetch(AHEAD)
    examples = parallel_map(stream, lambda position, image_seed: (view(position, image_seed), image_seed))
    batches = examples.batch(share, drop_remainder=True)
    return parallel_map(batches, lambda batch, seeds: finish(batch, seeds[0])).prefetch(AHEAD)


def single_pass(view, count, batch_size, shard=Shard()):
    """Batches of what ``view(position)`` gives, once, in order; the last batch may be smaller.

    Several replicas get batches of one size with a weight an example: the last example fills up, and weighs nothing.
    """
    if shard.replicas == 1:
        return parallel_map(tf.data.Dataset.range(count), view).batch(batch_size).prefetch(AHEAD)
    each = -(-batch_size // shard.replicas)
    steps = -(-count // (each * shard.replicas))
    own = np.arange(steps * each * shard.replicas).reshape(steps, shard.workers, -1)[:, shard.index].ravel()
    padded = tf.data.Dataset.from_tensor_slices((np.minimum(own, count - 1), (own < count).astype(np.float32)))
    weighted = parallel_map(padded, lambda position, weight: (*view(position), weight))
    return weighted.batch(each, drop_remainder=True).prefetch(AHEAD)


def cifar_batches(
    split: ArraySplit,
    preprocessing: Preprocessing,
    batch_size: int,
    seed: int | None = None,
    start_step: int = 0,
    shard: Shard = Shard(),
    finish=None,
):
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels: the CIFAR protocol (Sec. 4.2).

    With a ``seed``, augmented, shuffled and endless, from step ``start_step`` on; without, one pass of the images.
    """
    images, labels = tf.constant(split.images), tf.constant(split.labels)
    if seed is None:

        def plain(position):
            return preprocessing(tf.gather(images, position)), tf.gather(labels, position)

        return single_pass(plain, len(split), batch_size, shard)

    def view(position, image_seed):
        image = augment.cifar_training_view(tf.gather(images, position), image_seed, preprocessing)
        return image, tf.gather(labels, position)

    return training_batches(view, len(split), batch_size, seed, start_step, shard, finish)


def imagenet_batches(
    split: Split,
    preprocessing: Preprocessing,
    batch_size: int,
    size: int = 224,
    seed: int | None = None,
    start_step: int = 0,
    shard: Shard = Shard(),
    finish=None,
    colours: augment.Colours = augment.ALEXNET_COLOURS,
):
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels: the ImageNet protocol (Sec. 3.4).

    With a ``seed``, augmented, shuffled and endless, from step ``start_step`` on; without, one pass of center views.
    The next whole image of the split stands in for one that can no longer be read.
    """
    read = split.read_whole or split.read
    if seed is None:

        def center(position):
            encoded, label = read(position)
            return preprocessing(augment.center_view(encoded, size, preprocessing.crop)), label

        return single_pass(center, len(split), batch_size, shard)

    def view(position, image_seed):
        encoded, label = read(position)
        return augment.imagenet_training_view(encoded, image_seed, size, preprocessing, colours), label

    return training_batches(view, len(split), batch_size, seed, start_step, shard, finish)
