"""A network and boxes in the form that KerasCV's own detectors take, such as ``keras_cv.models.RetinaNet``."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_resnet.detection.backbone import without_classifier
from keras_resnet.detection.boxes import Detections, Truths
from keras_resnet.network import Network
from keras_resnet.training.stepping.freezing import freeze


def kerascv_backbone(network: Network, frozen: str | None = "conv2") -> Network:
    """A copy of ``network`` as the ``backbone`` of a detector of KerasCV 0.9, whose images have any size.

    ``pyramid_level_inputs`` names its layers P2 to P5. As in this package's detectors, normalization is a constant
    scale and offset, and conv1 and conv2_x do not learn. KerasCV does not know the network's ``preprocessing``: apply
    it to the images.

    Args:
        network: an ImageNet network of this package with any weights.
        frozen: the last stage that does not learn.

    Raises:
        InputError: a CIFAR network, or a model of another kind.
    """
    whole, _ = without_classifier(network)
    freeze(whole, frozen, batch_norm=True)
    return whole


def to_kerascv(images: Sequence[Truths] | Sequence[Detections]) -> dict[str, np.ndarray]:
    """The objects or detections of one or more images as KerasCV's dictionary, in its format ``"xyxy"``.

    KerasCV knows no ignored objects (crowds, difficult ones): they are left out.

    Returns:
        ``boxes`` float32 ``[images, most, 4]``, ``classes`` float32 ``[images, most]``, counted from 0, and of
        detections ``confidence`` float32 ``[images, most]``; all are padded with -1.
    """
    kept = [image.select(~image.ignored) if isinstance(image, Truths) else image for image in images]
    scores = [image.scores for image in kept if isinstance(image, Detections)]
    arrays = {"boxes": [image.boxes for image in kept], "classes": [image.classes for image in kept]}
    return {name: _padded(rows) for name, rows in (arrays | ({"confidence": scores} if scores else {})).items()}


def from_kerascv(boxes: Mapping[str, np.ndarray]) -> list[Truths] | list[Detections]:
    """The inverse of :func:`to_kerascv`: detections of each image if there is ``confidence``, else its objects.

    Args:
        boxes: KerasCV's dictionary in its format ``"xyxy"``, as ``predict`` of its detectors gives it too; another
            format is converted by ``keras_cv.bounding_box.convert_format``. Entries with a negative class are padding.
    """
    names = ("boxes", "classes", *(("confidence",) if "confidence" in boxes else ()))
    images = []
    for number, classes in enumerate(boxes["classes"]):
        present = np.asarray(classes) >= 0
        images.append([np.asarray(boxes[name][number])[present] for name in names])
    return [Detections(*image) for image in images] if "confidence" in boxes else [Truths(*image) for image in images]


def _padded(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The arrays ``[n, ...]`` as rows of one, float32, with -1 behind those with fewer entries."""
    result = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), -1, np.float32)
    for row, array in zip(result, arrays, strict=True):
        row[: len(array)] = array
    return result
