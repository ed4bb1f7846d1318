"""Detectors as ONNX files, for runtimes without TensorFlow (needs the extra ``export``)."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_resnet.data.decoding import decode
from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.batches import resize_image
from keras_resnet.detection.detector import MAX_DETECTIONS, MIN_SCORE
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.detection.roi_pooling import OFFSETS
from keras_resnet.detection.serving import folded
from keras_resnet.detection.suppression import DETECTION_OVERLAP, as_rows_first
from keras_resnet.errors import InputError
from keras_resnet.extras import needed
from keras_resnet.typing import Tensor

OPSET = 16


def save_onnx(detector: FasterRCNN, file: Path) -> None:
    """Write an ONNX file that finds objects as ``Detector([detector])`` does, without further options.

    It takes ``image``, float32 ``[1, height, width, 3]``, RGB values from 0 to 255 of a photo resized to the detector's
    size, and gives ``boxes`` float32 ``[100, 4]``, ``x1, y1, x2, y2`` in pixels of that image, ``classes`` int32
    ``[100]``, ``scores`` float32 ``[100]``, and ``count``, how many of them there are, best first. The metadata have
    the class names and the size. Batch normalization is folded.

    Raises:
        InputError: the detector pools regions by maxima, in operations on bits that the converter does not have.
    """
    if detector.region_head.pooling != "align":
        raise InputError("A detector with --pooling max has no ONNX file: its pooling has no such operations.")
    model, classes = folded(detector), len(detector.class_names)
    model.pool = align_by_gathers

    def detect(image: Tensor) -> dict[str, Tensor]:
        sides = tf.cast(tf.reverse(tf.shape(image)[1:3], [0]), tf.float32)
        outputs = model((model.preprocessing(image), sides[None]))
        scores = tf.where(outputs["valid"][0][:, None], outputs["probabilities"][0, :, 1:], 0.0)
        boxes, scores = tf.reshape(outputs["boxes"], [-1, 4]), tf.reshape(scores, [-1])
        numbers = tf.range(tf.shape(boxes)[0]) % classes
        apart = tf.cast(numbers, tf.float32)[:, None] * tf.reduce_max(sides + 1)  # classes do not suppress each other
        kept, count = tf.raw_ops.NonMaxSuppressionV4(
            boxes=as_rows_first(boxes + apart),
            scores=scores,
            max_output_size=MAX_DETECTIONS,
            iou_threshold=DETECTION_OVERLAP,
            score_threshold=MIN_SCORE,
            pad_to_max_output_size=True,
        )
        results = {"boxes": boxes, "classes": numbers, "scores": scores}
        return {name: tf.gather(values, kept) for name, values in results.items()} | {"count": count}

    signature = [tf.TensorSpec([1, None, None, 3], tf.float32, name="image")]
    converted, _ = needed("tf2onnx", "export").convert.from_function(
        tf.function(detect, signature, autograph=False), signature, opset=OPSET
    )
    converted.graph.doc_string = ""  # the converter counts all functions of the process in it
    about = {"classes": detector.class_names, "shorter": model.image_size.shorter, "longer": model.image_size.longer}
    for name, value in about.items():
        converted.metadata_props.add(key=name, value=json.dumps(value))
    file.write_bytes(converted.SerializeToString())


def run_onnx(file: Path) -> Callable[[bytes], Detections]:
    """A function from a photo's bytes to the detections of an ONNX file, in pixels of what a viewer shows."""
    session = needed("onnxruntime", "export").InferenceSession(str(file), providers=["CPUExecutionProvider"])
    about = session.get_modelmeta().custom_metadata_map
    shorter, longer = (float(about[name]) for name in ("shorter", "longer"))
    names = ("boxes", "classes", "scores", "count")

    def detect(photo: bytes) -> Detections:
        image = decode(photo)
        resized = resize_image(image, shorter, longer).numpy()
        boxes, classes, scores, count = session.run(names, {"image": resized[None]})
        factor = np.tile(np.divide(resized.shape[1::-1], image.shape[1::-1]), 2)
        return Detections(boxes / factor, classes, scores).select(np.arange(count))

    return detect


def align_by_gathers(features: Tensor, boxes: Tensor, stride: int, size: int) -> Tensor:
    """:func:`~keras_resnet.detection.roi_align` of one image, in operations that other runtimes have."""
    shape, corners = tf.shape(features), boxes[0] / stride - 0.5
    cells = tf.reshape(tf.cast(features, tf.float32), [-1, features.shape[-1]])

    def neighbors(first: Tensor, last: Tensor, length: Tensor, offset: float) -> list[tuple[Tensor, Tensor]]:
        """The two cells around a sample of each bin along one side, int32 ``[regions, size]``, and their weights."""
        step, end = (last - first) / size, tf.cast(length, tf.float32)
        place = first[:, None] + step[:, None] * (tf.range(size, dtype=tf.float32) + offset)
        valid = tf.cast((place >= -1) & (place <= end), tf.float32)
        place = tf.clip_by_value(place, 0.0, end - 1)
        low = tf.floor(place)
        pairs = (low, 1 - place + low), (tf.minimum(low + 1, end - 1), place - low)
        return [(tf.cast(cell, tf.int32), weight * valid) for cell, weight in pairs]

    pooled: Tensor = 0.0
    for y, x in itertools.product(OFFSETS, repeat=2):
        rows = neighbors(corners[:, 1], corners[:, 3], shape[1], y)
        columns = neighbors(corners[:, 0], corners[:, 2], shape[2], x)
        for (row, down), (column, right) in itertools.product(rows, columns):
            weights = down[:, :, None] * right[:, None]
            pooled += tf.gather(cells, row[:, :, None] * shape[2] + column[:, None]) * weights[..., None]
    return pooled[None] / len(OFFSETS) ** 2
