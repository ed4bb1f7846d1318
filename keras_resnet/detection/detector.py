"""Finding objects in photos, with one detector or an ensemble, and Table 9's options (appendix B)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet.detection.anchors import decode
from keras_resnet.detection.boxes import NO_DETECTIONS, Detections, area
from keras_resnet.detection.compiled_parts import compiled_parts
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.detection.suppression import DETECTION_OVERLAP, suppress, vote
from keras_resnet.detection.tiles import tiles_of, whole_objects
from keras_resnet.errors import InputError
from keras_resnet.evaluation.error_rates import NOT_FINITE
from keras_resnet.typing import Tensor

PYRAMID = (200, 400, 600, 800, 1000)  # shorter sides for a detector of 600 pixels (appendix B)
REGION_SIDE = 224 / 600  # the best side of a region, as a share of the detector's shorter side
MIN_SCORE, MAX_DETECTIONS = 0.01, 100
SMALLEST_TILE = 32  # pixels, a cell of the last feature map
TOGETHER = 4  # pictures of one size that go through the shared layers together


@dataclass(frozen=True)
class Options:
    """Table 9's options at test time, and tiles; global context belongs to the detector itself.

    Fields:
        refine: box refinement: regions are pooled again from their regressed boxes, both sets of detections are
            suppressed together, and the surviving boxes are averaged by box voting.
        scales: the shorter sides of multi-scale testing in pixels, ascending; empty for the detector's own size.
        flip: average the scores of each region with those in the mirrored image.
        tiles: also look at overlapping squares of this side, in pixels of the photo, each resized as a photo is: for
            objects that are small in a large photo. A photo that one of them covers is not divided.
    """

    refine: bool = False
    scales: tuple[int, ...] = ()
    flip: bool = False
    tiles: int | None = None


def pyramid_scales(model: FasterRCNN) -> tuple[int, ...]:
    """The paper's five scales in proportion to the detector's image size, which is 600 in the paper."""
    return tuple(round(scale * model.image_size.shorter / 600) for scale in PYRAMID)


class Detector:
    """Finds the objects in one photo after the other.

    Several detectors form an ensemble: each scores the union of their proposals, and probabilities and boxes are
    averaged.

    Args:
        models: trained detectors of the same classes.
        options: of testing.

    Raises:
        InputError: the detectors have different classes, the scales are not positive and ascending, or the tiles are
            smaller than 32 pixels.
    """

    def __init__(self, models: Sequence[FasterRCNN], options: Options = Options()):
        if not models:
            raise InputError("Give at least one detector.")
        self.classes = models[0].class_names
        for model in models[1:]:
            if model.class_names != self.classes:
                raise InputError(f"{model.name} and {models[0].name} find different classes: they make no ensemble.")
        if list(options.scales) != sorted(set(options.scales)) or any(scale < 1 for scale in options.scales):
            raise InputError(f"The scales {options.scales} must be positive and ascending, as 200 400 600 800 1000.")
        if options.tiles is not None and options.tiles < SMALLEST_TILE:
            raise InputError(f"Tiles of {options.tiles} pixels are too small: give a side of {SMALLEST_TILE} or more.")
        self.members = [_Member(model, options) for model in models]
        self.options = options

    @property
    def thresholds(self) -> np.ndarray | None:
        """The scores of the highest F1 by class, ``[classes]``, see :class:`FasterRCNN`; None if a detector has none.

        Those of an ensemble are averaged, as its probabilities are.
        """
        rows = [member.model.thresholds for member in self.members]
        return np.mean(rows, axis=0) if all(len(row) == len(self.classes) for row in rows) else None

    def __call__(self, image: np.ndarray, photo: object = "the photo") -> Detections:
        """The objects in ``image``, uint8 ``[height, width, 3]``: boxes in its pixels, best first, at most 100 a tile.

        Raises:
            InputError: a detector's outputs are not finite; the message calls the image ``photo``.
        """
        return self.detect_with_proposals(image, photo)[0]

    def detect_together(self, images: np.ndarray, photos: Sequence[object]) -> list[Detections]:
        """As a call for each of ``images``, uint8 ``[photos, height, width, 3]``, which share the shared layers' time.

        With tiles, which go together in any case, it takes as long as single calls.
        """
        if self.options.tiles is not None:
            return [self(image, photo) for image, photo in zip(images, photos, strict=True)]
        return [detections for detections, _ in self._detect(images, photos)]

    def detect_with_proposals(self, image: np.ndarray, photo: object = "the photo") -> tuple[Detections, np.ndarray]:
        """The detections, and the proposals ``[n, 4]`` they come from, those of each detector best first."""
        height, width = image.shape[:2]
        tiles = tiles_of(width, height, self.options.tiles)
        if len(tiles) == 1:
            return self._detect(image[None], [photo])[0]
        results = self._detect(image[None], [photo])
        for first in range(1, len(tiles), TOGETHER):  # after the whole picture, squares of one size
            squares = [image[top:bottom, left:right] for left, top, right, bottom in tiles[first : first + TOGETHER]]
            results += self._detect(np.stack(squares), [photo] * len(squares))
        parts: list[Detections] = []
        regions = []
        for tile, (detected, proposals) in zip(tiles, results, strict=True):
            parts.append(whole_objects(detected, tile, width, height))
            regions.append(proposals + np.array(tile[:2] * 2))
        boxes, classes, scores = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "classes", "scores")
        )
        merged = suppress(Detections(boxes, classes, scores), DETECTION_OVERLAP, MAX_DETECTIONS * len(tiles))
        return merged, np.concatenate(regions)

    def _detect(self, images: np.ndarray, photos: Sequence[object]) -> list[tuple[Detections, np.ndarray]]:
        """The detections in each photo or tile, and the proposals they come from."""
        views = zip(*(member.views(images, photos) for member in self.members), strict=True)
        return [self._detect_in(list(one), images.shape[1:3]) for one in views]

    def _detect_in(self, views: list[list["_View"]], size: tuple[int, int]) -> tuple[Detections, np.ndarray]:
        """The detections in each detector's views of a photo of this height and width, and the proposals."""
        proposals = np.concatenate([member.proposals(part) for member, part in zip(self.members, views, strict=True)])
        if not len(proposals):
            return NO_DETECTIONS, proposals
        limits = np.array(size[::-1] * 2)
        probabilities, boxes = self._score(views, proposals, limits)
        if self.options.refine:
            regressed = boxes[np.arange(len(boxes)), probabilities[:, 1:].argmax(axis=1)]
            second = self._score(views, regressed[area(regressed) > 0], limits)
            probabilities, boxes = (np.concatenate(pair) for pair in zip((probabilities, boxes), second, strict=True))
        region, number = np.nonzero(probabilities[:, 1:] >= MIN_SCORE)
        detections = Detections(boxes[region, number], number, probabilities[region, number + 1])
        detections = detections.select(area(detections.boxes) > 0)
        survivors = suppress(detections, DETECTION_OVERLAP, MAX_DETECTIONS)
        return (vote(survivors, detections) if self.options.refine else survivors), proposals

    def _score(
        self, views: list[list["_View"]], regions: np.ndarray, limits: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities ``[n, classes + 1]`` and clipped boxes ``[n, classes, 4]``, averaged over all views."""
        members = zip(self.members, views, strict=True)
        scores = [score for member, part in members for score in member.score(part, regions)]
        probabilities, deltas = (np.mean(parts, axis=0) for parts in zip(*scores, strict=True))
        return probabilities, np.clip(decode(deltas, regions[:, None]), 0, limits)


@dataclass(frozen=True)
class _View:
    """One detector's features of a photo at one scale.

    Fields:
        features: maps ``[1, height, width, channels]``, one for each level.
        extents: float32 ``[1, 2]``, width and height of the resized image.
        factor: ``[4]``, pixels of the resized image per pixel of the photo: x, y, x, y.
        mirrored: whether the photo was mirrored.
        width: the photo's, in pixels.
        photo: its name in messages.
    """

    features: list[Tensor]
    extents: Tensor
    factor: np.ndarray
    mirrored: bool
    width: int
    photo: object

    def boxes(self, regions: np.ndarray) -> Tensor:
        """``regions`` ``[n, 4]`` of the photo in pixels of the view, ``[1, n, 4]``."""
        if self.mirrored:
            left, top, right, bottom = regions.T
            regions = np.stack([self.width - right, top, self.width - left, bottom], axis=1)
        return tf.constant((regions * self.factor)[None], tf.float32)


class _Member:
    """One detector of an ensemble."""

    def __init__(self, model: FasterRCNN, options: Options):
        self.model, self.size, self.parts = model, model.image_size, compiled_parts(model)
        self.scales, self.mirrors = options.scales or (self.size.shorter,), (False, True) if options.flip else (False,)

    def views(self, images: np.ndarray, photos: Sequence[object]) -> list[list[_View]]:
        """Of each photo the view that proposals come from, then those in which regions are scored, scale by scale."""
        height, width = images.shape[1:3]
        first, scored = (self.size.shorter, False), [(scale, flip) for flip in self.mirrors for scale in self.scales]
        views: list[dict[tuple[int, bool], _View]] = [{} for _ in photos]
        for scale, mirrored in dict.fromkeys([first, *scored]):
            longer = round(self.size.longer * scale / self.size.shorter)
            maps, extents = self.parts.features(images[:, :, ::-1] if mirrored else images, scale, longer)
            factor = np.tile(extents.numpy()[0] / [width, height], 2)
            for place, photo in enumerate(photos):
                features = [level[place : place + 1] for level in maps]
                views[place][scale, mirrored] = _View(features, extents, factor, mirrored, width, photo)
        return [[part[key] for key in (first, *scored)] for part in views]

    def proposals(self, views: list[_View]) -> np.ndarray:
        """At most 300 regions ``[n, 4]`` in pixels of the photo, best first."""
        boxes, finite = self.parts.propose(views[0].features, views[0].extents)
        self._check(finite, views[0].photo)
        return boxes.numpy() / views[0].factor

    def _check(self, finite: bool, photo: object) -> None:
        if not finite:
            raise InputError(f"{self.model.name} gives scores that are not finite for {photo}: {NOT_FINITE}.")

    def score(self, views: list[_View], regions: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and deltas of ``regions`` ``[n, 4]``, for the photo and then, with ``flip``, its mirror image.

        The deltas are those of the photo in both cases.
        """
        width, height = views[0].extents.numpy()[0] / views[0].factor[:2]
        regions = np.concatenate([regions, [[0, 0, width, height]]])  # the last one is the global context
        for mirrored in self.mirrors:
            pyramid = [view for view in views[1:] if view.mirrored == mirrored]
            features = self._pyramid_features(pyramid, regions)
            probabilities, deltas = (outputs.numpy() for outputs in self.parts.outputs(features[:-1], features[-1:]))
            self._check(np.isfinite(probabilities).all() and np.isfinite(deltas).all(), views[0].photo)
            yield probabilities, deltas * [-1, 1, 1, 1] if mirrored else deltas

    def _pyramid_features(self, pyramid: list[_View], regions: np.ndarray) -> Tensor:
        """Features ``[n, width]`` of regions, each the element-wise maximum of those at its two adjacent scales."""
        if len(pyramid) == 1:
            return self.parts.pooled(pyramid[0].features, pyramid[0].boxes(regions))
        lower = adjacent_scales(regions, [view.factor for view in pyramid], REGION_SIDE * self.size.shorter)
        merged = np.full((len(regions), self.model.head.output.shape[-1]), -np.inf, np.float32)
        for number, view in enumerate(pyramid):
            (places,) = np.nonzero((lower == number) | (lower == number - 1))
            if len(places):
                features = self.parts.pooled(view.features, view.boxes(regions[places])).numpy()
                merged[places] = np.maximum(merged[places], features)
        return tf.constant(merged)


def adjacent_scales(regions: np.ndarray, factors: list[np.ndarray], side: float) -> np.ndarray:
    """The two adjacent scales at which each region's size is nearest to ``side``.

    A region's size is the square root of its area, and distances are octaves, summed over both scales.

    Args:
        regions: ``[n, 4]`` in pixels of the photo.
        factors: of each scale, ascending, pixels of the view per pixel of the photo, ``[4]``.
        side: in pixels of the view.

    Returns:
        int64 ``[n]``, the index of the lower of the two scales.
    """
    scales = np.sqrt([factor[0] * factor[1] for factor in factors])
    sides = np.sqrt(np.maximum(area(regions), 1e-6))[:, None] * scales
    distance = np.abs(np.log2(sides / side))
    return (distance[:, :-1] + distance[:, 1:]).argmin(axis=1)
