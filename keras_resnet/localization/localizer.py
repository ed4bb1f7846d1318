"""Boxes of given classes in photos: by the per-class RPN, and moved and scored again by the R-CNN (appendix C)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet.data import augment
from keras_resnet.detection.boxes import Detections, area, iou
from keras_resnet.detection.suppression import VOTING_OVERLAP, vote
from keras_resnet.errors import InputError
from keras_resnet.evaluation.error_rates import NOT_FINITE
from keras_resnet.evaluation.views import CENTER, View, at_shorter_side
from keras_resnet.localization.batches import warp
from keras_resnet.localization.defaults import PROPOSALS
from keras_resnet.localization.networks import STRIDE, LocalizationNetwork, LocalizationRCNN, LocalizationRPN
from keras_resnet.typing import Tensor

REGIONS_AT_ONCE = 64


class Localizer:
    """The best box of each class asked for, in one photo after the other.

    Several networks of a stage are an ensemble: the RPNs' boxes are joined, the R-CNNs' scores and boxes are averaged.

    Args:
        rpns: one or more.
        rcnns: none, to take the RPNs' scores and boxes as they are, or more.
        view: what the RPNs see of a photo: ``"center"`` is 1-crop testing, ``"multi-scale"`` dense testing.
        proposals: how many boxes of a class, those of the highest scores, are merged into one; R-CNNs score them first.

    Raises:
        InputError: no RPN, networks of different classes, or a view that is neither.
    """

    def __init__(
        self,
        rpns: Sequence[LocalizationRPN],
        rcnns: Sequence[LocalizationRCNN] = (),
        view: View = CENTER,
        proposals: int = PROPOSALS,
    ):
        if not rpns:
            raise InputError("Give one RPN or more.")
        self.class_names = rpns[0].class_names
        for network in (*rpns, *rcnns):
            if network.class_names != self.class_names:
                raise InputError(f"{network.name} and {rpns[0].name} know different classes: they do not go together.")
        if view.name not in ("center", "multi-scale"):
            raise InputError(f"Boxes are looked for in the view center or multi-scale, not {view.name}.")
        self.view, self.count = view, proposals
        self.rpns = [(network, _candidates(network, proposals)) for network in rpns]
        self.rcnns = [(network, _rescored(network)) for network in rcnns]

    def __call__(
        self, image: np.ndarray, classes: Sequence[int] | np.ndarray, photo: object = "the photo"
    ) -> Detections:
        """One box of each of ``classes`` in ``image``, uint8 ``[height, width, 3]``, in its pixels, in their order.

        Raises:
            InputError: a network's outputs are not finite; the image is called ``photo``.
        """
        proposed = self.proposals(image, classes, photo)
        if self.rcnns:
            proposed = self._again(image, classes, proposed, photo)
        answers = [merged(boxes, scores) for boxes, scores in proposed]
        boxes, scores = (np.concatenate(parts) for parts in zip(*answers, strict=True))
        return Detections(boxes, np.asarray(classes), scores)

    def proposals(
        self, image: np.ndarray, classes: Sequence[int] | np.ndarray, photo: object = "the photo"
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each class the best boxes ``[n, 4]`` over positions, scales and mirror images, and scores ``[n]``."""
        boxes, scores = [], []
        for network, candidates in self.rpns:
            for view in views(image, network, self.view):
                outputs = candidates(view.pixels, np.asarray(classes, np.int32))
                seen, probabilities = (output.numpy() for output in outputs)
                _check(network, photo, seen, probabilities)
                boxes.append(view.in_photo(seen))
                scores.append(probabilities)
        joined, ranked = np.concatenate(boxes, axis=1), np.concatenate(scores, axis=1)
        best = np.argsort(-ranked, axis=1, kind="stable")[:, : self.count]
        limits = np.tile(image.shape[1::-1], 2)
        clipped = np.clip(np.take_along_axis(joined, best[..., None], axis=1), 0, limits)
        return list(zip(clipped, np.take_along_axis(ranked, best, axis=1), strict=True))

    def _again(self, image, classes, proposed, photo) -> list[tuple[np.ndarray, np.ndarray]]:
        """The proposals with the R-CNNs' scores and boxes, means over them."""
        regions = np.concatenate([boxes for boxes, _ in proposed]).astype(np.float32)
        numbers = np.repeat(np.asarray(classes, np.int32), [len(boxes) for boxes, _ in proposed])
        outputs = []
        for network, rescored in self.rcnns:
            starts = range(0, len(regions), REGIONS_AT_ONCE)
            parts = [rescored(image, *(e[s : s + REGIONS_AT_ONCE] for e in (regions, numbers))) for s in starts]
            moved, scores = (np.concatenate([part[i].numpy() for part in parts]) for i in (0, 1))
            _check(network, photo, moved, scores)
            outputs.append((np.clip(moved, 0, np.tile(image.shape[1::-1], 2)), scores))
        moved, scores = (np.mean(parts, axis=0) for parts in zip(*outputs, strict=True))
        ends = np.cumsum([len(boxes) for boxes, _ in proposed])[:-1]
        return list(zip(np.split(moved, ends), np.split(scores, ends), strict=True))


def merged(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One answer from the boxes ``[n, 4]`` and scores ``[n]`` of a class, over all positions, scales and mirror images.

    The box that most support: the sum of scores of those that overlap it by half is the largest. The one of the highest
    score is often a part of the object, at large scales. Those that overlap it vote on its corners (see :func:`vote`).

    Returns:
        float64 ``[1, 4]``, and the box's own score ``[1]``; where no box has an area and a score above 0, the best as
        it is.
    """
    (sized,) = np.nonzero((area(boxes) > 0) & (scores > 0))
    if not len(sized):
        best = [int(scores.argmax())]
        return boxes[best].astype(np.float64), scores[best].astype(np.float64)
    detections = Detections(boxes[sized], np.zeros(len(sized)), scores[sized])
    support = (iou(detections.boxes, detections.boxes) >= VOTING_OVERLAP) @ detections.scores
    answer = vote(detections.select(np.array([support.argmax()])), detections)
    return answer.boxes, answer.scores


@dataclass(frozen=True)
class PhotoView:
    """What a network sees of a photo.

    Fields:
        pixels: prepared, float32 ``[1, height, width, 3]``.
        corner: of what is seen, x and y in the photo.
        factor: pixels seen over pixels of the photo, x and y.
        mirrored: whether it is the mirror image.
    """

    pixels: Tensor
    corner: np.ndarray
    factor: np.ndarray
    mirrored: bool

    def in_photo(self, boxes: np.ndarray) -> np.ndarray:
        """``boxes`` ``[..., 4]`` seen here, in pixels of the photo."""
        if self.mirrored:
            x1, y1, x2, y2 = np.moveaxis(boxes, -1, 0)
            width = self.pixels.shape[2]
            boxes = np.stack([width - x2, y1, width - x1, y2], axis=-1)
        return boxes / np.tile(self.factor, 2) + np.tile(self.corner, 2)


def views(image: np.ndarray, network: LocalizationNetwork, view: View) -> Iterator[PhotoView]:
    """What ``network`` sees of ``image``, uint8 ``[height, width, 3]``, under ``view``."""
    size, preprocessing = network.size, network.preprocessing
    seen = []
    if view.name == "center":
        top, left, side, _ = augment.crop_window(image.shape, 1 / preprocessing.crop, 0.5).numpy()
        pixels = tf.image.resize(image[top : top + side, left : left + side], [size, size], antialias=True)
        seen.append((pixels, np.array([left, top]), np.full(2, size / side)))
    else:
        for side in view.sides(size, STRIDE):
            pixels = at_shorter_side(image, side)
            seen.append((pixels, np.zeros(2), np.array(pixels.shape[1::-1]) / image.shape[1::-1]))
    for pixels, corner, factor in seen:
        for mirrored in (False, True) if view.flips else (False,):
            shown = tf.reverse(pixels, [1]) if mirrored else pixels
            yield PhotoView(preprocessing(shown)[None], corner, factor, mirrored)


def _candidates(network: LocalizationRPN, count: int) -> Callable:
    images, classes = tf.TensorSpec([1, None, None, 3], tf.float32), tf.TensorSpec([None], tf.int32)
    return tf.function(lambda i, c: network.candidates(i, c, count), [images, classes], autograph=False)


def _rescored(network: LocalizationRCNN) -> Callable:
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8),
            tf.TensorSpec([None, 4], tf.float32),
            tf.TensorSpec([None], tf.int32),
        ],
        autograph=False,
    )
    def rescored(image, regions, classes):
        return network.rescored(network.preprocessing(warp(image, regions, network.size)), regions, classes)

    return rescored


def _check(network: LocalizationNetwork, photo: object, *outputs: np.ndarray) -> None:
    if not all(np.isfinite(output).all() for output in outputs):
        raise InputError(f"{network.name} gives boxes or scores that are not finite for {photo}: {NOT_FINITE}.")
