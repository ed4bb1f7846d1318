"""Finding objects in photos: a detector, or several together, with Table 9's options (appendix B)."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet.detection.anchors import decode
from keras_resnet.detection.boxes import Detections, area
from keras_resnet.detection.data.batches import prepare_image
from keras_resnet.detection.faster_rcnn import TESTED, FasterRCNN
from keras_resnet.detection.losses import BOX_WEIGHTS
from keras_resnet.detection.suppression import DETECTION_OVERLAP, propose, suppress, vote
from keras_resnet.errors import InputError
from keras_resnet.evaluation.error_rates import NOT_FINITE

PYRAMID = (200, 400, 600, 800, 1000)  # shorter sides where a detector's own is 600 (appendix B)
REGION_SIDE = 224 / 600  # of a region at its best scale, where a detector's own shorter side is 1
LEAST_SCORE, MOST = 0.01, 100


@dataclass(frozen=True)
class Options:
    """Table 9's switches at test; global context is the detector's own.

    Fields:
        refine: box refinement: regions are pooled again from their moved boxes, both results suppressed together, and
            the boxes left vote.
        scales: multi-scale testing: shorter sides of the pyramid in pixels, ascending; empty for the detector's own.
        flip: score regions in the mirrored image too.
    """

    refine: bool = False
    scales: tuple[int, ...] = ()
    flip: bool = False


def pyramid_scales(model: FasterRCNN) -> tuple[int, ...]:
    """The paper's five scales for a detector of any image size: 600 becomes its own."""
    return tuple(round(scale * model.shorter / 600) for scale in PYRAMID)


class Detector:
    """Detections of one photo after the other.

    Several detectors are an ensemble: all score the union of their proposals, and probabilities and boxes are averaged.

    Args:
        models: trained detectors of the same classes.
        options: what to do at test.

    Raises:
        InputError: detectors of different classes, or scales that do not do.
    """

    def __init__(self, models: list[FasterRCNN], options: Options = Options()):
        if not models:
            raise InputError("Give one detector or more.")
        self.classes = models[0].class_names
        for model in models[1:]:
            if model.class_names != self.classes:
                raise InputError(f"{model.name} and {models[0].name} find different classes: they make no ensemble.")
        if list(options.scales) != sorted(set(options.scales)) or any(scale < 1 for scale in options.scales):
            raise InputError(f"The scales {options.scales} must be positive and ascending, as 200 400 600 800 1000.")
        self.members = [_Member(model, options.scales or (model.shorter,), options.flip) for model in models]
        self.options = options

    def __call__(self, image: np.ndarray, photo: object = "the photo") -> Detections:
        """What is in ``image``, uint8 ``[height, width, 3]``: at most 100 boxes in its pixels, the best first.

        Raises:
            InputError: a member's outputs are not finite; the image is called ``photo``.
        """
        return self.look(image, photo)[0]

    def look(self, image: np.ndarray, photo: object = "the photo") -> tuple[Detections, np.ndarray]:
        """The detections, and the proposals ``[n, 4]`` they come from, the best first for one detector."""
        seen = [member.see(image, photo) for member in self.members]
        proposals = np.concatenate([member.proposals(views) for member, views in zip(self.members, seen, strict=True)])
        if not len(proposals):
            return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0)), proposals
        limits = np.array(image.shape[1::-1] * 2)
        probabilities, boxes = self._score(seen, proposals, limits)
        if self.options.refine:
            best = probabilities[:, 1:].argmax(axis=1)
            again = boxes[np.arange(len(boxes)), best]
            again = again[area(again) > 0]
            second = self._score(seen, again, limits)
            probabilities, boxes = (np.concatenate(pair) for pair in zip((probabilities, boxes), second, strict=True))
        region, number = np.nonzero(probabilities[:, 1:] >= LEAST_SCORE)
        found = Detections(boxes[region, number], number, probabilities[region, number + 1])
        found = _sized(found)
        kept = suppress(found, DETECTION_OVERLAP, MOST)
        return (vote(kept, found) if self.options.refine else kept), proposals

    def _score(self, seen, regions, limits):
        """Probabilities ``[n, classes + 1]`` and clipped boxes ``[n, classes, 4]``, means over members and views."""
        scored = [s for member, views in zip(self.members, seen, strict=True) for s in member.score(views, regions)]
        probabilities, deltas = (np.mean(parts, axis=0) for parts in zip(*scored, strict=True))
        return probabilities, np.clip(decode(deltas, regions[:, None]), 0, limits)


def _sized(found: Detections) -> Detections:
    kept = area(found.boxes) > 0
    return Detections(found.boxes[kept], found.classes[kept], found.scores[kept])


@dataclass(frozen=True)
class _View:
    """One member's features of an image at one scale: ``factor`` is view pixels over photo pixels, x and y twice."""

    features: tf.Tensor
    extents: tf.Tensor
    factor: np.ndarray
    side: int
    mirrored: bool
    width: int
    photo: object

    def boxes(self, regions: np.ndarray):
        """``regions`` ``[n, 4]`` of the photo as the view has them, ``[1, n, 4]``."""
        if self.mirrored:
            regions = np.stack(
                [self.width - regions[:, 2], regions[:, 1], self.width - regions[:, 0], regions[:, 3]], axis=1
            )
        return tf.constant((regions * self.factor)[None], tf.float32)


class _Member:
    """One detector of an ensemble, its parts compiled for images of any size."""

    def __init__(self, model: FasterRCNN, scales, flip: bool):
        self.model, self.scales, self.mirrors = model, scales, (False, True) if flip else (False,)
        maps = tf.TensorSpec([1, None, None, model.shared.output.shape[-1]])
        boxes, width = tf.TensorSpec([1, None, 4]), model.head.output.shape[-1]

        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)] + 2 * [tf.TensorSpec([], tf.float32)])
        def features(image, shorter, longer):
            prepared = prepare_image(image, shorter, longer, model.preprocessing)[None]
            found = tf.cast(model.features(prepared), tf.float32)
            return found, tf.cast(tf.reverse(tf.shape(prepared)[1:3], [0]), tf.float32)[None]

        @tf.function(input_signature=[maps, tf.TensorSpec([1, 2])])
        def proposals(features, extents):
            anchors, scores, deltas = model.anchor_scores(tf.cast(features, model.shared.compute_dtype))
            boxes, _, valid = propose(deltas, scores, anchors, extents, *TESTED, model.smallest)
            return boxes[0][valid[0]], tf.reduce_all([tf.reduce_all(tf.math.is_finite(t)) for t in (scores, deltas)])

        @tf.function(input_signature=[maps, boxes])
        def pooled(features, boxes):
            return model.region_features(features, boxes)[0]

        @tf.function(input_signature=[tf.TensorSpec([None, width]), tf.TensorSpec([1, width])])
        def outputs(found, context):
            logits, deltas = model.score(found[None], context[None])
            return tf.nn.softmax(logits)[0], deltas[0] * BOX_WEIGHTS

        self.features, self.propose, self.pooled, self.outputs = features, proposals, pooled, outputs

    def see(self, image: np.ndarray, photo: object = "the photo") -> list[_View]:
        """The view that proposals come from, then those that regions are scored in, scale by scale."""
        height, width = image.shape[:2]
        own, scored = (self.model.shorter, False), [(s, m) for m in self.mirrors for s in self.scales]
        views = {}
        for side, mirrored in dict.fromkeys([own, *scored]):
            longer = round(self.model.longer * side / self.model.shorter)
            features, extents = self.features(image[:, ::-1] if mirrored else image, side, longer)
            factor = np.tile(extents.numpy()[0] / [width, height], 2)
            views[side, mirrored] = _View(features, extents, factor, side, mirrored, width, photo)
        return [views[own], *(views[key] for key in scored)]

    def proposals(self, views: list[_View]) -> np.ndarray:
        """At most 300 regions ``[n, 4]`` of the photo, the best first."""
        boxes, finite = self.propose(views[0].features, views[0].extents)
        self._check(finite, views[0].photo)
        return boxes.numpy() / views[0].factor

    def _check(self, finite, photo) -> None:
        if not finite:
            raise InputError(f"{self.model.name} gives scores that are not finite for {photo}: {NOT_FINITE}.")

    def score(self, views: list[_View], regions: np.ndarray):
        """(Probabilities, deltas in the photo) of ``regions``, once for the image and once for its mirror image."""
        width_height = views[0].extents.numpy()[0] / views[0].factor[:2]
        regions = np.concatenate([regions, [[0, 0, *width_height]]])  # the last one is the global context
        for mirrored in self.mirrors:
            pyramid = [view for view in views[1:] if view.mirrored == mirrored]
            found = self._pyramid_features(pyramid, regions)
            probabilities, deltas = (each.numpy() for each in self.outputs(found[:-1], found[-1:]))
            self._check(np.isfinite(probabilities).all() and np.isfinite(deltas).all(), views[0].photo)
            if mirrored:
                deltas = deltas * [-1, 1, 1, 1]
            yield probabilities, deltas

    def _pyramid_features(self, pyramid: list[_View], regions):
        """Features ``[n, width]`` of regions, each from its two adjacent scales, merged by maxout."""
        if len(pyramid) == 1:
            return self.pooled(pyramid[0].features, pyramid[0].boxes(regions))
        lower = adjacent_scales(regions, [view.factor for view in pyramid], REGION_SIDE * self.model.shorter)
        merged = np.full((len(regions), self.model.head.output.shape[-1]), -np.inf, np.float32)
        for number, view in enumerate(pyramid):
            (own,) = np.nonzero((lower == number) | (lower == number - 1))
            if len(own):
                merged[own] = np.maximum(merged[own], self.pooled(view.features, view.boxes(regions[own])).numpy())
        return tf.constant(merged)


def adjacent_scales(regions: np.ndarray, factors: list[np.ndarray], side: float) -> np.ndarray:
    """The lower of the two adjacent scales at which each region's side, root of its area, is nearest to ``side``.

    Nearest is meant in octaves, for the two together. Ascending ``factors`` are view pixels over photo pixels.
    """
    sides = np.sqrt(np.maximum(area(regions), 1e-6))[:, None] * np.sqrt([f[0] * f[1] for f in factors])[None]
    distance = np.abs(np.log2(sides / side))
    return (distance[:, :-1] + distance[:, 1:]).argmin(axis=1)
