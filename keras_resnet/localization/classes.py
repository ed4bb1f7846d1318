"""Which classes a photo has, as classifiers of :mod:`keras_resnet.evaluation` see it (appendix C)."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.data.splits import Split
from keras_resnet.detection.boxes import NO_OBJECTS
from keras_resnet.detection.data.photo_files import examine_files
from keras_resnet.detection.data.photos import SIDEWAYS, DetectionData, Photo
from keras_resnet.errors import InputError
from keras_resnet.evaluation.ensemble import joint
from keras_resnet.evaluation.scoring import check_model, score
from keras_resnet.localization.defaults import TOP
from keras_resnet.typing import Tensor


def probabilities(classifiers: Sequence[keras.Model], data: DetectionData) -> np.ndarray:
    """Of each class in each photo, center view, the mean over the classifiers: float32 ``[photos, classes]``.

    Raises:
        InputError: no classifier, or one of other classes.
    """
    if not classifiers:
        raise InputError("Predicted classes need a classifier.")
    for model in classifiers:
        check_model(model, data)  # type: ignore[arg-type]  # it asks for name and classes
    return joint([score(model, as_split(data)) for model in classifiers]).probabilities


def top_classes(probable: np.ndarray) -> np.ndarray:
    """The five most probable classes of each photo, or all if there are fewer, int ``[photos, 5]``, the best first."""
    return np.argsort(-probable, axis=1, kind="stable")[:, :TOP]


def as_split(data: DetectionData) -> Split:
    """The photos of ``data`` as a classifier takes them, each labelled with its one class, 0 where it has none."""
    labels = tf.constant([int(photo.objects.classes[0]) if len(photo.objects.classes) else 0 for photo in data.photos])
    upright = all(photo.orientation == 1 for photo in data.photos)

    def read(position: Tensor) -> tuple[Tensor, Tensor]:
        encoded = data.reader.read(position) if upright else tf.io.encode_png(data.picture(position))
        return encoded, tf.cast(labels[position], tf.int32)

    return Split(data.name, len(data), read, file=lambda position: str(data.photos[position].file))


def photo_data(files: Sequence[Path], classes: tuple[str, ...]) -> DetectionData:
    """Photo files without annotations, turned as their EXIF orientation says; ``classes`` are those to look for."""
    photos = []
    for file, (height, width, orientation, _) in zip(files, examine_files(files).tolist(), strict=True):
        sides = (width, height) if orientation in SIDEWAYS else (height, width)
        photos.append(Photo(file.stem, file, *sides, NO_OBJECTS, orientation))
    return DetectionData("the photos", classes, tuple(photos), annotated=False)
