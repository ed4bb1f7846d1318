"""Detectors as TensorFlow SavedModels: from a photo's bytes to its objects, without this package."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import weights
from keras_resnet.data import plain_decoding
from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.batches import prepare_image
from keras_resnet.detection.detector import MAX_DETECTIONS, MIN_SCORE
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.detection.suppression import DETECTION_OVERLAP, as_rows_first
from keras_resnet.typing import Tensor


def folded(detector: FasterRCNN) -> FasterRCNN:
    """A copy of ``detector`` without the normalizations that follow a convolution, in float32, for inference."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")  # which every runtime has
    try:
        copy = FasterRCNN.from_config(detector.get_config())
        copy.set_weights(detector.get_weights())
        copy.shared, copy.head = weights.fold_batch_norm(copy.shared), weights.fold_batch_norm(copy.head)
    finally:
        keras.config.set_dtype_policy(policy)
    return copy


def save_detector(detector: FasterRCNN, folder: Path) -> None:
    """Write a SavedModel that finds objects as ``Detector([detector])`` does, without further options.

    Its signature ``serving_default`` takes ``jpeg``, the bytes of a JPEG or PNG file, a string, and gives ``boxes``
    float32 ``[n, 4]``, ``x1, y1, x2, y2`` in pixels of the photo as a viewer shows it, turned by its EXIF orientation;
    ``classes`` int32 ``[n]`` and their ``names``; and ``scores`` float32 ``[n]``; at most 100, best first. Batch
    normalization is folded, and the layers compute in float32. All are TensorFlow's operations, so that servers
    without Python run them.
    """
    model, names, size = folded(detector), tf.constant(detector.class_names), detector.image_size

    def detect(jpeg: Tensor) -> dict[str, Tensor]:
        image = plain_decoding.decode(jpeg)
        prepared = prepare_image(image, float(size.shorter), float(size.longer), model.preprocessing)
        sides = tf.cast(tf.reverse(tf.shape(prepared)[:2], [0]), tf.float32)
        outputs = model((prepared[None], sides[None]))
        scores = tf.where(outputs["valid"][..., None], outputs["probabilities"][..., 1:], 0.0)
        boxes, scores, classes, counts = tf.image.combined_non_max_suppression(
            as_rows_first(outputs["boxes"]),
            scores,
            max_output_size_per_class=MAX_DETECTIONS,
            max_total_size=MAX_DETECTIONS,
            iou_threshold=DETECTION_OVERLAP,
            score_threshold=MIN_SCORE,
            clip_boxes=False,
        )
        real = slice(counts[0])
        factor = sides / tf.cast(tf.reverse(tf.shape(image)[:2], [0]), tf.float32)
        numbers = tf.cast(classes[0, real], tf.int32)
        boxes = as_rows_first(boxes[0, real]) / tf.tile(factor, [2])
        return {"boxes": boxes, "classes": numbers, "names": tf.gather(names, numbers), "scores": scores[0, real]}

    module = tf.Module()  # Keras' ExportArchive would write every weight twice
    module.weights = [variable.value for variable in model.variables]
    signature = tf.function(detect, [tf.TensorSpec([], tf.string, name="jpeg")], autograph=False)
    tf.saved_model.save(module, str(folder), {"serving_default": signature})


def run_detector(folder: Path) -> Callable[[bytes], Detections]:
    """A function from a photo's bytes to the detections of the SavedModel in ``folder``."""
    loaded = tf.saved_model.load(str(folder))  # must stay alive as long as the function

    def detect(photo: bytes) -> Detections:
        answer = loaded.signatures["serving_default"](jpeg=tf.constant(photo))
        return Detections(*(answer[name].numpy() for name in ("boxes", "classes", "scores")))

    return detect


def above_a_gap(first: Detections, second: Detections, least: float, gap: float) -> tuple[Detections, Detections]:
    """The detections of two results that should be equal, from ``least`` on or from a little below it.

    The threshold is the highest one from which all scores are at least ``gap`` away, so that a score beside ``least``
    does not count in one result alone.
    """
    for score in np.sort(np.concatenate([first.scores, second.scores]))[::-1]:
        if abs(score - least) < gap:
            least = score - gap
    return first.select(first.scores >= least), second.select(second.scores >= least)


def difference(first: Detections, second: Detections) -> tuple[float, float]:
    """The largest difference of a box, in pixels, and of a score between two results that should be equal.

    Each detection is compared with the nearest one of its class that is left: their order says little where scores are
    almost equal. Both are infinite if classes or numbers differ.
    """
    if not np.array_equal(np.sort(first.classes), np.sort(second.classes)):
        return np.inf, np.inf
    left, boxes, scores = np.ones(len(second.classes), bool), 0.0, 0.0
    for box, number, score in first:
        distances = np.abs(second.boxes - box).max(axis=1)
        nearest = int(np.where(left & (second.classes == number), distances, np.inf).argmin())
        left[nearest] = False
        boxes, scores = max(boxes, distances[nearest]), max(scores, abs(second.scores[nearest] - score))
    return float(boxes), float(scores)
