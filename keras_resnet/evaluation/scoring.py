"""A model's probabilities for the photos of a split, in one pass that holds only a few batches in memory."""

import hashlib
import json
import sys
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import tqdm

from keras_resnet.backends import inference
from keras_resnet.data import decoding
from keras_resnet.data.cache import cached
from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.splits import Data, Split
from keras_resnet.errors import InputError, in_our_words
from keras_resnet.evaluation.classifier import classifier_of, dense_scores, input_size, pooled_window, with_activation
from keras_resnet.evaluation.error_rates import check_classes, check_finite, ranks
from keras_resnet.evaluation.views import CENTER, View, at_shorter_side, square_views

CONFIDENCE = 0.95
MAX_WAITING = 4  # photos of rare sizes may fill this many batches before they are scored in smaller batches


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

        proportion = binomtest(self.wrong, self.examples).proportion_ci(CONFIDENCE, "exact")
        return 100 * proportion.low, 100 * proportion.high

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
        """The top-``k`` error; among equal probabilities, the first class ranks first."""
        rank = keras.ops.convert_to_numpy(ranks(self.labels, self.probabilities))
        return Estimate(int((rank >= k).sum()), len(self.labels))


def check_model(model: keras.Model, data: Data) -> None:
    """Raise :class:`InputError` unless ``model`` has a preprocessing and a classifier for the classes of ``data``."""
    classifier_of(model)
    check_classes(model, len(data.classes))
    if getattr(model, "preprocessing", None) is None:
        raise InputError(f"{model.name} does not know its preprocessing: load it as NAME:FILE, or set it.")
    names = getattr(model, "class_names", None)
    if names and tuple(names) != tuple(data.classes):
        pairs = zip(names, data.classes, strict=True)
        trained, given = next((trained, given) for trained, given in pairs if trained != given)
        raise InputError(
            f"{model.name} was trained on other classes than {data.name} has ({trained} for {given}): use the data "
            "it was trained for."
        )


def score(model: keras.Model, split: Split, view: View = CENTER, batch_size: int = 32) -> Scores:
    """The probabilities of ``model`` for each photo of ``split``, averaged over its views.

    Args:
        model: a model with a classifier and a ``preprocessing``.
        split: photos and labels; each is read once.
        view: the views of each photo.
        batch_size: images of the model's own size in one forward pass; batches of larger images are smaller.

    Raises:
        InputError: the model or the view cannot be used, or probabilities are not finite.
    """
    batches = _multi_scale if view.name == "multi-scale" else _square
    progress = tqdm.tqdm(total=len(split), desc=f"{model.name}, {view.name}", unit=" images", disable=None, leave=False)
    probabilities = np.zeros((len(split), model.output_shape[-1]), np.float32)
    labels = np.zeros(len(split), np.int32)
    with progress, in_our_words():
        for positions, batch_labels, scores, weight, photos in batches(model, split, view, batch_size):
            check_finite(model.name, scores, map(split.photo, positions))
            np.add.at(probabilities, positions, weight * scores)
            labels[positions] = batch_labels
            progress.update(photos)
    return Scores(probabilities, labels)


def _square(model, split, view, batch_size):
    """(positions, labels, probabilities, weight, photos) of each batch, for views of the model's own size."""
    size, preprocessing = input_size(model), model.preprocessing
    views = {"10-crop": 10}.get(view.name, 2 if view.flips else 1)
    forward = inference(with_activation(model, "softmax"))

    def load(position):
        encoded, label = split.read(position)
        return position, label, preprocessing(square_views(encoded, view, size, preprocessing.crop))

    dataset = parallel_map(tf.data.Dataset.range(len(split)), load).batch(max(1, batch_size // views))
    for positions, labels, images in dataset.prefetch(AHEAD):
        scores = forward(tf.reshape(images, [-1, size, size, 3]))
        scores = scores.reshape(-1, views, scores.shape[-1]).mean(axis=1)
        yield positions.numpy(), labels.numpy(), scores, 1.0, len(positions)


def _multi_scale(model, split, view, batch_size):
    """Like :func:`_square`, for whole photos at each scale; a batch has photos of one size."""
    size, preprocessing = input_size(model), model.preprocessing
    sides, forward = view.sides(size, size // pooled_window(model)), dense_scores(model)
    weight = 1 / len(sides)
    max_pixels = batch_size * size * size  # in a batch

    def load(position):
        encoded, label = split.read(position)
        image = decoding.decode(encoded)
        return position, label, tuple(at_shorter_side(image, side) for side in sides)

    def flush(shape):
        positions, labels, images = zip(*waiting.pop(shape), strict=True)
        images = np.stack(images)
        scores = forward(preprocessing(images))
        if view.flips:
            scores = (scores + forward(preprocessing(images[:, :, ::-1]))) / 2
        return np.array(positions), np.array(labels), scores, weight, len(positions) * weight

    waiting: dict[tuple, list] = {}
    dataset = parallel_map(tf.data.Dataset.range(len(split)), load, 2)  # few at once: each photo becomes many images
    for position, label, images in dataset.prefetch(2):
        for image in images:
            shape = tuple(image.shape)
            waiting.setdefault(shape, []).append((position.numpy(), label.numpy(), image.numpy()))
            if (len(waiting[shape]) + 1) * shape[0] * shape[1] > max_pixels:
                yield flush(shape)
        while sum(len(images) * s[0] * s[1] for s, images in waiting.items()) > MAX_WAITING * max_pixels:
            yield flush(max(waiting, key=lambda s: len(waiting[s]) * s[0] * s[1]))
    for shape in list(waiting):
        yield flush(shape)


def weights_digest(model: keras.Model) -> str:
    """A hash of the model's weights, 32 hexadecimal digits, as manifests of proposals and features keep it."""
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(values.tobytes())
    return digest.hexdigest()[:32]


def cached_scores(model: keras.Model, split: Split, view: View = CENTER, batch_size: int = 32) -> Scores:
    """:func:`score`, kept on disk: the same weights, photos and view are scored once per version of this package."""
    if not split.fingerprint:
        return score(model, split, view, batch_size)
    digest = hashlib.sha256(weights_digest(model).encode())
    layers = [layer.get_config() for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    described = [layers, model.input_shape, model.preprocessing.get_config(), vars(view), split.fingerprint, len(split)]
    digest.update(json.dumps(described, default=str, sort_keys=True).encode())
    classes = model.output_shape[-1]

    def compute():
        scores = score(model, split, view, batch_size)
        return np.concatenate([scores.probabilities, scores.labels[:, None].astype(np.float32)], axis=1)

    table = cached(f"scores/{digest.hexdigest()[:32]}", compute, sys.modules["keras_resnet"])
    return Scores(table[:, :classes], table[:, classes].astype(np.int32))
