"""Statistics of the training images, computed once and cached: the mean image and the principal colours."""

import sys

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment, decoding, viewing
from keras_resnet.data.cache import cached
from keras_resnet.data.parallel import parallel_map
from keras_resnet.data.pipelines import ArraySplit
from keras_resnet.data.splits import Split, evenly_spaced

SAMPLE = 10_000  # images; with a deviation of 70 levels, the standard error of a mean over them is 0.7


def mean_image(split: Split | ArraySplit, size: int = 224) -> np.ndarray:
    """The per-pixel mean, float32 ``[size, size, 3]``, of the images, or of their center views for a :class:`Split`.

    From a :class:`Split` of more than 10,000 images an even sample is taken; its mean is cached.
    """
    if isinstance(split, ArraySplit):
        return split.images.mean(axis=0, dtype=np.float64).astype(np.float32)
    return _cached(split, f"mean-{size}", lambda: _mean_of_center_views(split, size))


def principal_colours(split: Split, size: int = 224) -> augment.Colours:
    """The principal components of RGB values / 255 in the same center views, also cached (Sec. 3.4)."""
    covariance = _cached(split, f"colours-{size}", lambda: _colour_covariance(split, size))
    values, vectors = np.linalg.eigh(covariance)
    return augment.Colours(tuple(values[::-1].tolist()), tuple(map(tuple, vectors[:, ::-1].tolist())))


def _cached(split, what, compute):
    if not split.fingerprint:  # it cannot be told from others
        return compute()
    return cached(f"statistics/{split.fingerprint}-{what}", compute, sys.modules[__name__], augment, decoding, viewing)


def _mean_of_center_views(split, size):
    total = np.zeros((size, size, 3), np.float64)
    for batch in _center_views(split, size):
        total += batch.sum(axis=0, dtype=np.float64)
    return (total / _sample_size(split)).astype(np.float32)


def _colour_covariance(split, size):
    count, total, products = 0, np.zeros(3), np.zeros((3, 3))
    for batch in _center_views(split, size):
        pixels = batch.reshape(-1, 3).astype(np.float64) / 255
        count, total, products = count + len(pixels), total + pixels.sum(axis=0), products + pixels.T @ pixels
    mean = total / count
    return products / count - np.outer(mean, mean)


def _sample_size(split) -> int:
    return min(len(split), SAMPLE)


def _center_views(split, size):
    positions = evenly_spaced(len(split), SAMPLE)
    views = parallel_map(
        tf.data.Dataset.from_tensor_slices(positions),
        lambda position: augment.center_view(split.read(position)[0], size),
    )
    return views.batch(64).as_numpy_iterator()
