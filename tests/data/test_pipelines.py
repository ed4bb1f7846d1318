"""Pipelines: each example once an epoch, a start at any step, and results that depend only on (seed, position)."""

import itertools

import numpy as np
import pytest
from PIL import Image

from keras_resnet import data
from keras_resnet.data.pipelines import shuffled_positions
from keras_resnet.weights import Preprocessing

ZERO = Preprocessing(np.zeros(3))


def positions(count, seed, start, take):
    return [int(p) for p, _ in itertools.islice(shuffled_positions(count, seed, start), take)]


def test_each_epoch_is_another_permutation_of_all_examples():
    first, second = positions(37, 0, 0, 37), positions(37, 0, 37, 37)
    assert sorted(first) == sorted(second) == list(range(37))
    assert first != second
    assert first != positions(37, 1, 0, 37)
    assert first != sorted(first)


def test_a_stream_can_start_anywhere_in_a_run():
    assert positions(37, 5, 0, 120)[61:] == positions(37, 5, 61, 59)


def test_image_seeds_never_repeat():
    drawn = [tuple(s.numpy()) for _, s in itertools.islice(shuffled_positions(10, 3, 0), 100)]
    assert len(set(drawn)) == 100


@pytest.fixture
def arrays(rng):
    return data.ArraySplit("train", rng.integers(0, 256, (50, 32, 32, 3), np.uint8), np.arange(50, dtype=np.int32))


def test_cifar_batches_are_a_function_of_seed_and_step(arrays):
    run = list(itertools.islice(data.cifar_batches(arrays, ZERO, 16, seed=1), 8))
    late = list(itertools.islice(data.cifar_batches(arrays, ZERO, 16, seed=1, start_step=5), 3))
    for (x, y), (late_x, late_y) in zip(run[5:], late, strict=True):
        np.testing.assert_array_equal(x, late_x)
        np.testing.assert_array_equal(y, late_y)
    labels = np.concatenate([y for _, y in run])
    assert sorted(labels[:50]) == list(range(50))  # the epoch ends within the fourth batch
    other = next(iter(data.cifar_batches(arrays, ZERO, 16, seed=2)))
    assert (other[1].numpy() != run[0][1].numpy()).any()


def test_test_batches_are_the_images_in_order(arrays):
    batches = list(data.cifar_batches(arrays, ZERO, 16))
    assert [len(y) for _, y in batches] == [16, 16, 16, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), arrays.images)


def test_autotuning_is_off(arrays):
    """Dropping an autotuned iterator can wait as long as it ran, which doubled the time of a validation."""
    for training in ({}, {"seed": 3}):
        batches = data.cifar_batches(arrays, ZERO, 4, **training)
        assert not batches.options().autotune.enabled
        assert not batches.take(1).options().autotune.enabled


def test_mean_image_is_numpy_s(arrays):
    np.testing.assert_allclose(data.mean_image(arrays), arrays.images.mean(axis=0), rtol=1e-5)


@pytest.mark.long
def test_imagenet_batches_from_a_folder(photo_folder):
    photos = data.open_data(str(photo_folder))
    mean = data.mean_image(photos.train, 32)
    assert mean.shape == (32, 32, 3)
    view = data.ImageNetView(Preprocessing(mean), 32)
    x, y = next(iter(data.imagenet_batches(photos.train, view, 12, seed=0)))
    assert x.shape == (12, 32, 32, 3)
    assert sorted(y.numpy()) == [0] * 6 + [1] * 6
    again, _ = next(iter(data.imagenet_batches(photos.train, view, 12, seed=0)))
    np.testing.assert_array_equal(x, again)
    bright = x.numpy().mean(axis=(1, 2, 3))
    assert (bright[y.numpy() == 1] > bright[y.numpy() == 0].max()).all()  # images and labels stay together


def test_decode_all_resizes_other_sizes(photo_folder):
    arrays = data.decode_all(data.open_data(str(photo_folder)).validation, 32)
    assert arrays.images.shape == (4, 32, 32, 3)
    assert arrays.images.dtype == np.uint8
    np.testing.assert_array_equal(arrays.labels, [0, 0, 1, 1])
    assert (arrays.images.mean(axis=(1, 2, 3)) > 127).tolist() == [False, False, True, True]


def test_reduction_by_whole_factors_averages_areas(tmp_path, rng):
    images = rng.integers(0, 256, (2, 36, 72, 3), np.uint8)  # reduced by 3 in one direction and by 6 in the other
    for name, image in zip("ab", images, strict=True):
        for part in ("train", "val"):
            (tmp_path / part / name).mkdir(parents=True)
            Image.fromarray(image).save(tmp_path / part / name / "0.png")
    reduced = data.decode_all(data.open_data(str(tmp_path)).validation, 12).images
    means = images.reshape(2, 12, 3, 12, 6, 3).astype(float).mean((2, 4))
    assert np.abs(reduced - means).max() <= 0.5 + 1e-4  # rounded


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 2), (2, 4)])
@pytest.mark.long
def test_shards_together_are_the_batches_of_one_device(workers, replicas, arrays):
    """In training example for example; in a test pass each example once, and the padding with weight 0."""
    whole = list(itertools.islice(data.cifar_batches(arrays, ZERO, 16, seed=1, start_step=2), 4))
    shards = [data.Shard(index, workers, replicas) for index in range(workers)]
    per_worker = replicas // workers
    parts = [iter(data.cifar_batches(arrays, ZERO, 16, seed=1, start_step=2, shard=shard)) for shard in shards]
    for images, labels in whole:
        batches = [next(part) for part in parts for _ in range(per_worker)]
        np.testing.assert_array_equal(np.concatenate([x for x, _ in batches]), images)
        np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), labels)
    passes = [list(data.cifar_batches(arrays, ZERO, 16, shard=shard)) for shard in shards]
    assert len({len(batches) for batches in passes}) == 1  # no worker waits for another
    labels, weights = (np.concatenate([batch[i] for p in passes for batch in p]) for i in (1, 2))
    assert sorted(labels[weights == 1]) == list(range(50))
