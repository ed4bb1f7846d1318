"""Embeddings: pooled features of photos, to find similar photos and to evaluate features."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import Estimate

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from keras_resnet.data.splits import Split

ROWS = ("features", "labels", "parts", "photos", "hashes")  # arrays of all photos
ARRAYS = {"features": 2, "labels": 1, "parts": 1, "photos": 1, "hashes": 1, "classes": 1, "model": 0}  # and their axes
WEIGHTS = "weights"  # an array that earlier versions did not write
NEIGHBOURS = 5  # that vote
COPIES = 0.9  # cosine of whitened features: re-encoded or halved photos are above, others below (docs/own_photos.md)
ROUNDING = 1e-6  # of a cosine in float32
PHOTOS_A_COMPONENT, FEWEST_COMPONENTS = 10, 16
ENOUGH = 2 * (FEWEST_COMPONENTS + 1)  # photos, of which half may be near copies of the others
ITERATIONS = 1000  # of the linear probe, at most


@dataclass(frozen=True)
class Embeddings:
    """Features of photos, one row per photo.

    Fields:
        features: float16 ``[photos, features]``.
        labels: int32 ``[photos]``.
        parts: the part of the data to which each photo belongs, such as ``"train"``.
        photos: their files, or their positions if they have no files.
        hashes: SHA-256 of each photo's bytes, in hexadecimal.
        classes: names of the labels.
        model: the model that gave the features, as :func:`keras_resnet.load_model` takes it.
        weights: the hash of its weights, :func:`keras_resnet.evaluation.scoring.weights_digest`; empty if not known.
    """

    features: np.ndarray
    labels: np.ndarray
    parts: np.ndarray
    photos: np.ndarray
    hashes: np.ndarray
    classes: np.ndarray
    model: str
    weights: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def of_part(self, part: str) -> Embeddings:
        """The embeddings of one part.

        Raises:
            InputError: there are no embeddings of this part.
        """
        chosen = self.parts == part
        if not chosen.any():
            known = ", ".join(dict.fromkeys(self.parts.tolist()))
            raise InputError(f"There are no features of the part {part}, only of {known}: write them again with it.")
        return replace(self, **{name: getattr(self, name)[chosen] for name in ROWS})

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file that NumPy reads."""
        with open(path, "wb") as file:
            np.savez_compressed(file, **{name: getattr(self, name) for name in (*ARRAYS, WEIGHTS)})


def read_embeddings(path: Path) -> Embeddings:
    """Read a file of :meth:`Embeddings.save`.

    Raises:
        InputError: the file does not exist, or has other contents.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in ARRAYS}
            weights = str(file[WEIGHTS]) if WEIGHTS in file else ""
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): write it with tools/embed.py.") from error
    except (ValueError, KeyError, EOFError) as error:
        raise InputError(
            f"{path} holds no features of photos ({error!s:.100}): write it with tools/embed.py."
        ) from error
    lengths = {len(arrays[name]) for name in ROWS if arrays[name].ndim}
    if len(lengths) != 1 or any(arrays[name].ndim != axes for name, axes in ARRAYS.items()):
        raise InputError(f"{path} is damaged, its arrays do not belong together: write it again with tools/embed.py.")
    return Embeddings(**arrays | {"model": str(arrays["model"])}, weights=weights)


def embedder(model: keras.Model) -> keras.Model:
    """``model`` without its classifier: from preprocessed images to pooled features ``[batch, features]``."""
    from keras_resnet.evaluation.classifier import classifier_of

    return keras.Model(model.input, classifier_of(model).input)


def embed_split(model: keras.Model, split: Split, part: str, batch_size: int = 32) -> dict[str, np.ndarray]:
    """The rows of :class:`Embeddings` for the center views of the photos of ``split``, called ``part``.

    Raises:
        InputError: the model has no classifier or no preprocessing, or features are not finite.
    """
    import tensorflow as tf
    import tqdm

    from keras_resnet.backends import inference
    from keras_resnet.data import augment
    from keras_resnet.data.parallel import AHEAD, parallel_map
    from keras_resnet.errors import in_our_words
    from keras_resnet.evaluation.classifier import input_size
    from keras_resnet.evaluation.error_rates import check_finite

    size, preprocessing = input_size(model), getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise InputError(f"{model.name} does not know its preprocessing: give NAME:WEIGHTS, a network and its file.")
    forward = inference(embedder(model))

    def load(position):
        encoded, label = split.read(position)
        return preprocessing(augment.center_view(encoded, size, preprocessing.crop)), label, encoded

    features, labels, hashes = [], [], []
    batches = parallel_map(tf.data.Dataset.range(len(split)), load).batch(batch_size).prefetch(AHEAD)
    with tqdm.tqdm(total=len(split), desc=f"{part}", unit=" images", disable=None, leave=False) as bar, in_our_words():
        for images, batch_labels, encoded in batches:
            features.append(forward(images).astype(np.float16))
            labels.append(batch_labels.numpy())
            hashes += [hash_of(photo) for photo in encoded.numpy()]
            bar.update(len(batch_labels))
    names = [split.photo(position) for position in range(len(split))]
    check_finite(model.name, np.concatenate(features), names)
    rows: dict[str, np.ndarray] = {
        "features": np.concatenate(features),
        "labels": np.concatenate(labels).astype(np.int32),
    }
    return rows | {"parts": np.array([part] * len(split)), "photos": np.array(names), "hashes": np.array(hashes)}


def hash_of(encoded: bytes) -> str:
    """The SHA-256 of a photo's bytes, in hexadecimal."""
    return hashlib.sha256(encoded).hexdigest()


def nearest(embeddings: Embeddings, features: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` photos most similar to each of ``features``, ``[queries, features]``, the most similar first.

    Returns:
        similarities, the cosines of the angles between features, float64 ``[queries, count]``; and positions among
        ``embeddings``, int ``[queries, count]``.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(metric="cosine", algorithm="brute").fit(embeddings.features.astype(np.float32))
    distances, positions = index.kneighbors(features.astype(np.float32), min(count, len(embeddings)))
    return 1 - distances.astype(np.float64), positions


def near_copies(embeddings: Embeddings, similarity: float = COPIES) -> list[tuple[int, int, float]]:
    """Pairs of photos that are nearly copies of each other, the most similar first.

    Features are first whitened by their principal components, at most one for ten photos: the largest components are
    much alike for all photos of a class, and the smaller ones distinguish single photos. But there are 16 at least, and
    among fewer than 34 photos (``ENOUGH``) they may be those in which near copies differ: then only copies with equal
    features are certain.

    Returns:
        two positions, the lower one first, and the cosine of the angle between the whitened features.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(metric="cosine", algorithm="brute").fit(_whitening(embeddings)(embeddings.features))
    distances, positions = index.radius_neighbors(radius=1 - similarity + ROUNDING)  # each photo's, but not itself
    pairs = [
        (first, int(second), 1 - float(distance))
        for first, (others, apart) in enumerate(zip(positions, distances, strict=True))
        for second, distance in zip(others, apart, strict=True)
        if first < second
    ]
    return sorted(pairs, key=lambda pair: -pair[2])


def near_copies_of(embeddings: Embeddings, features: np.ndarray, similarity: float = COPIES) -> list[np.ndarray]:
    """The positions of the photos of which each of ``features``, ``[queries, features]``, is a near copy, int."""
    from sklearn.metrics.pairwise import cosine_similarity

    whitened = _whitening(embeddings)
    similarities = cosine_similarity(whitened(features), whitened(embeddings.features))
    order = np.argsort(-similarities, axis=1, kind="stable")
    return [places[alike[places] >= similarity - ROUNDING] for places, alike in zip(order, similarities, strict=True)]


def _whitening(embeddings: Embeddings) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.decomposition import PCA

    photos, features = embeddings.features.shape
    components = min(features, photos - 1, max(FEWEST_COMPONENTS, photos // PHOTOS_A_COMPONENT))
    if components < 1:
        raise InputError("A single photo can have no copies: write the features of more photos.")
    fitted = PCA(components, whiten=True, svd_solver="full").fit(embeddings.features.astype(np.float32))
    return lambda rows: fitted.transform(rows.astype(np.float32))


def k_nn_error(train: Embeddings, test: Embeddings, neighbours: int = NEIGHBOURS) -> Estimate:
    """The error of a vote of the ``neighbours`` most similar training photos."""
    from sklearn.neighbors import KNeighborsClassifier

    vote = KNeighborsClassifier(min(neighbours, len(train)), metric="cosine", algorithm="brute")
    return _error(vote, train, test)


def linear_probe_error(train: Embeddings, test: Embeddings) -> Estimate:
    """The error of a logistic regression on the standardized features, fitted to the training photos.

    Raises:
        InputError: all training photos are of one class.
    """
    if len(set(train.labels.tolist())) < 2:
        raise InputError("All training photos are of one class: give at least two classes.")
    return _error(linear_probe(), train, test)


def linear_probe() -> Pipeline:
    """A logistic regression on standardized features, to be fitted to float32 ``[photos, features]`` and labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))


def _error(model, train: Embeddings, test: Embeddings) -> Estimate:
    model.fit(train.features.astype(np.float32), train.labels)
    answers = model.predict(test.features.astype(np.float32))
    return Estimate(int((answers != test.labels).sum()), len(test))


def joined(parts: Sequence[dict[str, np.ndarray]], classes: Sequence[str], model: str, weights: str = "") -> Embeddings:
    """The rows of several parts, as :func:`embed_split` gives them, in one."""
    arrays = {name: np.concatenate([rows[name] for rows in parts]) for name in parts[0]}
    return Embeddings(**arrays, classes=np.array(classes), model=model, weights=weights)
