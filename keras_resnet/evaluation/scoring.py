"""A model's probabilities for the photos of a split, in one pass that holds no more than some batches."""

import hashlib
import json
import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.data import augment
from keras_resnet.data.cache import cached
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.splits import Data, Split
from keras_resnet.errors import InputError, in_our_words
from keras_resnet.evaluation.classifier import classifier_of, dense_scores, input_size, pooled_window, with_activation
from keras_resnet.evaluation.error_rates import check_classes, check_finite, ranks
from keras_resnet.evaluation.views import CENTER, View, at_shorter_side, square_views

CONFIDENCE = 0.95
WAITING = 4  # full batches of pixels that photos of rare sizes may fill before they go in smaller batches


@dataclass(frozen=True)
class Estimate:
    """An error rate in percent with its exact (Clopper-Pearson) 95 % interval."""

    wrong: int
    examples: int

    @property
    def percent(self) -> float:
        return 100 * self.wrong / self.examples

    @property
    def interval(self) -> tuple[float, float]:
        from scipy.stats import binomtest

        found = binomtest(self.wrong, self.examples).proportion_ci(CONFIDENCE, "exact")
        return 100 * found.low, 100 * found.high

    def __str__(self):
        low, high = self.interval
        return f"{self.percent:.2f} % ({low:.2f} to {high:.2f})"


@dataclass(frozen=True)
class Scores:
    """Finite probabilities ``[examples, classes]`` float32 and labels ``[examples]`` int32, in the split's order."""

    probabilities: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        check_finite("The model", self.probabilities, range(len(self.probabilities)))

    def error(self, k: int = 1) -> Estimate:
        """Of how many examples the label is not among the ``k`` highest probabilities; of equal ones the first."""
        found = keras.ops.convert_to_numpy(ranks(self.labels, self.probabilities))
        return Estimate(int((found >= k).sum()), len(self.labels))


def check_model(model: keras.Model, data: Data) -> None:
    """Raise :class:`InputError` unless ``model`` has a classifier for the classes of ``data``, and a preprocessing."""
    classifier_of(model)
    check_classes(model, len(data.classes))
    if getattr(model, "preprocessing", None) is None:
        raise InputError(f"{model.name} does not know its preprocessing: load it as NAME:FILE, or set it.")
    names = getattr(model, "class_names", None)
    if names and tuple(names) != tuple(data.classes):
        first = next((ours, theirs) for ours, theirs in zip(names, data.classes, strict=True) if ours != theirs)
        raise InputError(
            f"{model.name} was trained on other classes than {data.name} has ({first[0]} for {first[1]}): use the data "
            "it was trained for."
        )


def score(model: keras.Model, split: Split, view: View = CENTER, batch_size: int = 32) -> Scores:
    """The probabilities of ``model`` for each photo of ``split``, averaged over the views of it.

    Args:
        model: with a classifier and a ``preprocessing``; its images are RGB.
        split: photos and labels, read once.
        view: how each photo is shown.
        batch_size: images of the model's own size in one forward pass; larger images go in smaller batches.

    Raises:
        InputError: the model or the view cannot be used, or probabilities are not finite.
    """
    batches = _multi_scale if view.name == "multi-scale" else _square
    progress = tqdm.tqdm(total=len(split), desc=f"{model.name}, {view.name}", unit=" images", disable=None, leave=False)
    probabilities = np.zeros((len(split), model.output_shape[-1]), np.float32)
    labels = np.zeros(len(split), np.int32)
    with progress, in_our_words():
        for positions, found, part, weight, done in batches(model, split, view, batch_size):
            check_finite(model.name, part, map(split.photo, positions))
            np.add.at(probabilities, positions, weight * part)
            labels[positions] = found
            progress.update(done)
    return Scores(probabilities, labels)


def _square(model, split, view, batch_size):
    """(positions, labels, probabilities, weight, photos done) of batches, under views of the model's own size."""
    size, preprocessing = input_size(model), model.preprocessing
    views = {"10-crop": 10}.get(view.name, 2 if view.flips else 1)
    probabilities = with_activation(model, "softmax")

    def load(position):
        encoded, label = split.read(position)
        return position, label, preprocessing(square_views(encoded, view, size, preprocessing.crop))

    @tf.function(reduce_retracing=True)
    def forward(images):
        scores = probabilities(tf.reshape(images, [-1, size, size, 3]), training=False)
        return tf.reduce_mean(tf.reshape(scores, [-1, views, scores.shape[-1]]), axis=1)

    dataset = parallel_map(tf.data.Dataset.range(len(split)), load).batch(max(1, batch_size // views))
    for positions, labels, images in dataset.prefetch(AHEAD):
        yield positions.numpy(), labels.numpy(), forward(images).numpy(), 1.0, len(positions)


def _multi_scale(model, split, view, batch_size):
    """The same with whole photos at each scale; those of one size go together."""
    size, preprocessing = input_size(model), model.preprocessing
    sides, forward = view.sides(size, size // pooled_window(model)), dense_scores(model)
    weight = 1 / len(sides)
    most = batch_size * size * size  # pixels in a batch

    def load(position):
        encoded, label = split.read(position)
        image = augment.decode(encoded)
        return position, label, tuple(at_shorter_side(image, side) for side in sides)

    def flush(shape):
        positions, labels, images = zip(*waiting.pop(shape), strict=True)
        images = np.stack(images)
        scores = forward(preprocessing(images)).numpy()
        if view.flips:
            scores = (scores + forward(preprocessing(images[:, :, ::-1])).numpy()) / 2
        return np.array(positions), np.array(labels), scores, weight, len(positions) * weight

    waiting: dict[tuple, list] = {}
    dataset = parallel_map(tf.data.Dataset.range(len(split)), load, 2)  # each photo is many images: few at once
    for position, label, images in dataset.prefetch(2):
        for image in images:
            shape = tuple(image.shape)
            waiting.setdefault(shape, []).append((position.numpy(), label.numpy(), image.numpy()))
            if (len(waiting[shape]) + 1) * shape[0] * shape[1] > most:
                yield flush(shape)
        while sum(len(found) * s[0] * s[1] for s, found in waiting.items()) > WAITING * most:
            yield flush(max(waiting, key=lambda s: len(waiting[s]) * s[0] * s[1]))
    for shape in list(waiting):
        yield flush(shape)


def cached_scores(model: keras.Model, split: Split, view: View = CENTER, batch_size: int = 32) -> Scores:
    """:func:`score`, kept on disk: the same weights on the same photos under the same view are scored once.

    Once for each version of this package, of which any part may change what a network answers.
    """
    if not split.fingerprint:
        return score(model, split, view, batch_size)
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(values.tobytes())
    layers = [layer.get_config() for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    described = [layers, model.input_shape, model.preprocessing.get_config(), vars(view), split.fingerprint, len(split)]
    digest.update(json.dumps(described, default=str, sort_keys=True).encode())
    classes = model.output_shape[-1]

    def compute():
        found = score(model, split, view, batch_size)
        return np.concatenate([found.probabilities, found.labels[:, None].astype(np.float32)], axis=1)

    both = cached(f"scores/{digest.hexdigest()[:32]}", compute, sys.modules["keras_resnet"])
    return Scores(both[:, :classes], both[:, classes].astype(np.int32))
