"""How certain the difference between two detectors is: the paired bootstrap over photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.data.coco_data import coco_content
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.coco_scoring import coco_evaluation, matched_by_class

OVERLAPS = tuple(np.linspace(0.5, 0.95, 10))  # COCO's, to the last bit: some are overlaps of boxes of whole pixels
RECALLS = np.linspace(0, 1, 101)
DRAWS = 1000
MOST_CELLS = 4_000_000  # of an array of samples by photos or by detections


class Matches:
    """Which detections find objects, photo by photo, from which the mean AP of any sample of photos follows quickly.

    Detections are matched by COCO's own scorer, with its crowds and its limit of 100 detections per class and photo;
    the AP is COCO's too, at 101 recalls. In data without a COCO file, ignored objects (VOC's difficult ones) count as
    crowds.

    Args:
        data: the photos with their objects.
        detections: by photo id.
        overlaps: that a detection must reach; the AP is the mean over them.
        size: of the objects that count, one of COCO's: ``"all"``, ``"small"``, ``"medium"`` or ``"large"``.

    Raises:
        InputError: detections of a photo that is not in the data.
    """

    def __init__(
        self,
        data: DetectionData,
        detections: DetectionsByPhoto,
        overlaps: Sequence[float] = OVERLAPS,
        size: str = "all",
    ):
        if data.dataset is None:
            places = {photo.id: place for place, photo in enumerate(data.photos)}
            names = [str(photo.file) for photo in data.photos]
            dataset = coco_content(data.photos, data.classes, names)
            categories: Sequence[int | str] = range(1, len(data.classes) + 1)
            detections = {places.get(photo, photo): detected for photo, detected in detections.items()}
        else:
            dataset, categories = data.dataset, data.categories
        scorer = coco_evaluation(dataset, detections, categories)
        scorer.params.iouThrs = np.asarray(overlaps)
        range_of_size = scorer.params.areaRng[scorer.params.areaRngLbl.index(size)]
        scorer.params.areaRng, scorer.params.areaRngLbl = [range_of_size], [size]
        self.photos = len(scorer.params.imgIds)
        self.classes: list[ClassMatches] = []
        for number in matched_by_class(scorer):
            evaluated = [(result["image_id"] - 1, result) for result in scorer.evalImgs if result is not None]
            counts = np.zeros(self.photos, np.int32)
            for place, result in evaluated:
                counts[place] = np.count_nonzero(result["gtIgnore"] == 0)
            if counts.any():
                self.classes.append(ClassMatches(number, counts, _rankings(evaluated)))

    def mean_ap(self, times: np.ndarray | None = None) -> float:
        """The mean AP, from 0 to 1, of a sample with ``times`` ``[photos]`` copies of each photo, by default one."""
        return float(np.nan_to_num(_mean(self.class_aps(times))))

    def class_aps(self, times: np.ndarray | None = None) -> np.ndarray:
        """The AP of each of ``classes`` in such a sample, ``[classes with objects]``; NaN without objects in it."""
        times = np.ones(self.photos) if times is None else times
        return self._aps(times[None])[0]

    def draws(self) -> np.ndarray:
        """The mean APs ``[1000]`` of samples of the photos drawn with replacement, the same samples in each call.

        They are NaN for samples without objects, of which :func:`interval` makes no use.
        """
        return np.array([_mean(values) for values in self.class_draws])

    @cached_property
    def class_draws(self) -> np.ndarray:
        """The APs of the classes in the same samples, ``[1000, classes with objects]``."""
        rng = np.random.default_rng(0)
        longest = max((len(ranking.photos) for matched in self.classes for ranking in matched.rankings), default=0)
        together = max(1, MOST_CELLS // max(self.photos, longest, 1))
        values = []
        for start in range(0, DRAWS, together):
            samples = (rng.integers(0, self.photos, self.photos) for _ in range(min(together, DRAWS - start)))
            values.append(self._aps(np.stack([np.bincount(sample, minlength=self.photos) for sample in samples])))
        return np.concatenate(values)

    def _aps(self, times: np.ndarray) -> np.ndarray:
        """The APs ``[samples, classes with objects]`` of samples with ``times`` ``[samples, photos]`` copies."""
        times = times.astype(np.int32)
        return np.array([matched.aps(times) for matched in self.classes]).reshape(-1, len(times)).T


@dataclass(frozen=True)
class Ranking:
    """The detections of a class that count at one overlap, best first.

    Fields:
        photos: their positions, ``[detections]``.
        scores: ``[detections]``.
        hits: places in the ranking of those that find an object.
    """

    photos: np.ndarray
    scores: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True)
class ClassMatches:
    """The matches of a class with objects.

    Fields:
        number: the class.
        counts: its objects in each photo, int32 ``[photos]``.
        rankings: at each overlap.
    """

    number: int
    counts: np.ndarray
    rankings: list[Ranking]

    def aps(self, times: np.ndarray) -> np.ndarray:
        """The mean APs over the overlaps ``[samples]``, NaN without objects.

        Args:
            times: how often each sample has each photo, int32 ``[samples, photos]``.
        """
        totals = times @ self.counts
        objects = np.maximum(totals, 1)[:, None]
        needed = np.ceil(RECALLS * objects).astype(np.int64) - 1  # hits for each recall, or up to two fewer
        for _ in range(2):
            needed += needed / objects < RECALLS
        rows = np.arange(len(times))[:, None]
        offsets = rows * (totals.max(initial=0) + 1)  # make the samples one ascending row of numbers
        values = np.zeros(len(times))
        for ranking in self.rankings:
            weights = times[:, ranking.photos]
            right, ranked = np.cumsum(weights[:, ranking.hits], axis=1), np.cumsum(weights, axis=1)[:, ranking.hits]
            precision = np.maximum.accumulate((right / np.maximum(ranked, 1))[:, ::-1], axis=1)[:, ::-1]
            reached = np.searchsorted((right + offsets).ravel(), needed + offsets) - rows * len(ranking.hits)
            values += np.pad(precision, ((0, 0), (0, 1)))[rows, reached].mean(axis=1)
        return np.where(totals, values / len(self.rankings), np.nan)


def _mean(values: np.ndarray) -> float:
    """The mean of the APs of the classes that a sample has objects of; NaN without any."""
    return float("nan") if np.isnan(values).all() else float(np.nanmean(values))


def _rankings(evaluated: list[tuple[int, dict[str, Any]]]) -> list[Ranking]:
    """The ranking at each overlap, from the scorer's results by position of the photo."""
    results = [result for _, result in evaluated]
    photos = np.repeat([place for place, _ in evaluated], [len(result["dtScores"]) for result in results])
    scores = np.concatenate([result["dtScores"] for result in results])
    order = np.argsort(-scores, kind="stable")  # ranks equal scores as the scorer does
    matched, ignored = (
        np.concatenate([result[key] for result in results], axis=1)[:, order] for key in ("dtMatches", "dtIgnore")
    )
    counting = [np.flatnonzero(~row.astype(bool)) for row in ignored]
    return [
        Ranking(photos[order][kept], scores[order][kept], np.flatnonzero(row[kept]))
        for row, kept in zip(matched, counting, strict=True)
    ]


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The percentile interval that holds 95 % of the values of :meth:`Matches.draws`, NaN not among them.

    The difference between two detectors' draws is paired, because both are of the same samples. It is 0 to 0 where no
    sample has objects.
    """
    drawn = draws[~np.isnan(draws)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (0.0, 0.0)
    return float(low), float(high)
