"""Batches from splits: an endless stream for training, as a function of (seed, position), or a single pass."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment, decoding
from keras_resnet.data.mixing import Finish
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.splits import Split, evenly_spaced
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor
from keras_resnet.weights.preprocessing import Preprocessing

SHUFFLE_DRAWS = 1_000_000  # separates the draws of the shuffle from those of the images


@dataclass(frozen=True)
class Shard:
    """The share of every batch for worker ``index`` of ``workers``, which have ``replicas`` devices in all."""

    index: int = 0
    workers: int = 1
    replicas: int = 1


@dataclass(frozen=True)
class ArraySplit:
    """A split decoded into memory: uint8 ``images`` ``[examples, size, size, 3]`` and int32 ``labels``."""

    reader: ClassVar[None] = None  # all images are in memory

    name: str
    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def photo(self, position: int) -> str:
        """The name of the image at ``position`` in reports."""
        return f"number {position} of {self.name}"

    def picture(self, position: int) -> np.ndarray:
        """The image at ``position`` as a picture, uint8 ``[size, size, 3]``."""
        return self.images[position]

    def joined(self, other: "ArraySplit") -> "ArraySplit":
        """These images, then those of ``other``."""
        images, labels = (np.concatenate(pair) for pair in ((self.images, other.images), (self.labels, other.labels)))
        return ArraySplit(f"{self.name} and {other.name}", images, labels)


def check_count(split: Split | ArraySplit, count: int) -> None:
    """Raise :class:`InputError` if ``split`` has fewer than ``count`` images."""
    if count > len(split):
        raise InputError(f"{split.name} has {len(split)} images, not {count}: ask for fewer.")


def decode_all(split: Split, size: int = 32, count: int | None = None) -> ArraySplit:
    """Decode ``split`` into memory as uint8, with whole images resized by :func:`augment.resize_whole`.

    With ``count`` only so many images are decoded, evenly spaced, so that those sorted by class are of every class.
    """

    def load(position):
        encoded, label = split.read(position)
        return tf.cast(augment.resize_whole(decoding.decode(encoded), size), tf.uint8), label

    name, positions = split.name, np.arange(len(split))
    if count is not None:
        check_count(split, count)
        name, positions = f"{count:,} of {name}", evenly_spaced(len(split), count)
    batches = parallel_map(tf.data.Dataset.from_tensor_slices(positions), load).batch(1024)
    images, labels = zip(*batches.as_numpy_iterator(), strict=True)
    return ArraySplit(name, np.concatenate(images), np.concatenate(labels))


def shuffled_positions(count: int, seed: int, start: int) -> tf.data.Dataset:
    """An endless data set of (position, image seed), from example ``start`` of the run on.

    Example k of a run is element k mod count of epoch k // count. Each epoch is a new permutation of all positions, so
    the stream can start anywhere without what comes before.
    """

    first_epoch, done = divmod(start, count)

    @tf.autograph.experimental.do_not_convert
    def epoch_positions(epoch):
        seeds = augment.fold(tf.stack([tf.constant(seed, tf.int64), epoch]), SHUFFLE_DRAWS)
        order = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), seeds)
        first = tf.where(epoch == first_epoch, tf.constant(done, tf.int64), 0)
        numbers = epoch * count + tf.range(first, count)
        image_seeds = tf.stack([tf.fill(tf.shape(numbers), tf.constant(seed, tf.int64)), numbers], axis=1)
        return tf.data.Dataset.from_tensor_slices((order[first:], image_seeds))

    return tf.data.Dataset.counter(first_epoch).flat_map(epoch_positions)


def training_batches(
    view: Callable[[Tensor, Tensor], Any],
    count: int,
    batch_size: int,
    seed: int,
    start_step: int,
    shard: Shard = Shard(),
    finish: Callable[[Any, Tensor], Any] | None = None,
) -> tf.data.Dataset:
    """Endless shuffled batches; the shards' batches together are those of a single device, example for example.

    With ``finish`` this is true of the examples that go into it: each device finishes its share for itself, so that
    another number of devices mixes other neighbours.

    Args:
        view: from (position, image seed) to an example, a tensor or a structure of tensors.
        count: number of positions.
        batch_size: examples per step over all shards.
        seed: determines the order and the image seeds.
        start_step: the step to start from.
        shard: the share of this worker.
        finish: a function that changes a device's whole share of a batch, from the share and the seed of its first
            example.
    """
    stream = shuffled_positions(count, seed, start_step * batch_size)
    if shard.workers > 1:
        share = batch_size // shard.workers
        part = slice(shard.index * share, (shard.index + 1) * share)
        stream = stream.batch(batch_size).map(lambda position, image_seed: (position[part], image_seed[part])).unbatch()
    share = batch_size // shard.replicas
    if finish is None:
        return parallel_map(stream, view).batch(share, drop_remainder=True).prefetch(AHEAD)
    examples = parallel_map(stream, lambda position, image_seed: (view(position, image_seed), image_seed))
    batches = examples.batch(share, drop_remainder=True)
    return parallel_map(batches, lambda batch, seeds: finish(batch, seeds[0])).prefetch(AHEAD)


def single_pass(
    view: Callable[[Tensor], tuple], count: int, batch_size: int, shard: Shard = Shard()
) -> tf.data.Dataset:
    """Batches of ``view(position)`` for all positions, once and in order; the last batch may be smaller.

    Several replicas get batches of equal size with a weight for each example: the last example is repeated to fill the
    batches, with weight 0.
    """
    if shard.replicas == 1:
        return parallel_map(tf.data.Dataset.range(count), view).batch(batch_size).prefetch(AHEAD)
    share = -(-batch_size // shard.replicas)
    steps = -(-count // (share * shard.replicas))
    places = np.arange(steps * share * shard.replicas).reshape(steps, shard.workers, -1)[:, shard.index].ravel()
    padded = tf.data.Dataset.from_tensor_slices((np.minimum(places, count - 1), (places < count).astype(np.float32)))
    weighted = parallel_map(padded, lambda position, weight: (*view(position), weight))
    return weighted.batch(share, drop_remainder=True).prefetch(AHEAD)


def cifar_batches(
    split: ArraySplit,
    preprocessing: Preprocessing,
    batch_size: int,
    seed: int | None = None,
    start_step: int = 0,
    shard: Shard = Shard(),
    finish: Finish | None = None,
) -> tf.data.Dataset:
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels in the CIFAR protocol (Sec. 4.2).

    With a ``seed`` they are augmented, shuffled and endless, see :func:`training_batches`; without one they are a
    single pass over the images, see :func:`single_pass`.
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
    view: augment.ImageNetView,
    batch_size: int,
    seed: int | None = None,
    start_step: int = 0,
    shard: Shard = Shard(),
    finish: Finish | None = None,
) -> tf.data.Dataset:
    """Batches of float32 ``[batch, size, size, 3]`` and int32 labels in the ImageNet protocol (Sec. 3.4).

    With a ``seed`` they are augmented, shuffled and endless, see :func:`training_batches`; without one they are a
    single pass over the center views, see :func:`single_pass`. If an image can no longer be read, the next readable
    one of the split takes its place.
    """
    read = split.read_whole or split.read
    if seed is None:

        def test(position):
            encoded, label = read(position)
            return view.test_graph(encoded), label

        return single_pass(test, len(split), batch_size, shard)

    def training(position, image_seed):
        if split.draw is not None:
            position = split.draw(position, image_seed[1])
        encoded, label = read(position)
        return view.training_graph(encoded, image_seed), label

    return training_batches(training, len(split), batch_size, seed, start_step, shard, finish)
