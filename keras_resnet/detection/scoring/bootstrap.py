"""How certain the difference between two detectors is: the paired bootstrap over photos."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.data.coco_data import coco_entries
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.coco_scoring import coco_evaluation, evaluate_quietly

OVERLAPS = tuple(np.arange(0.5, 1.0, 0.05))  # COCO's
RECALLS = np.linspace(0, 1, 101)
DRAWS = 1000


class Matches:
    """Which detections find objects, photo by photo, from which the mean AP of any sample of photos follows quickly.

    Detections are matched by COCO's own scorer, with its crowds and its limit of 100 detections per class and photo;
    the AP is COCO's too, at 101 recalls. In data without a COCO file, ignored objects (VOC's difficult ones) count as
    crowds.

    Args:
        data: the photos with their objects.
        detections: by photo id.
        overlaps: that a detection must reach; the AP is the mean over them.

    Raises:
        InputError: detections of a photo that is not in the data.
    """

    def __init__(self, data: DetectionData, detections: DetectionsByPhoto, overlaps: Sequence[float] = OVERLAPS):
        if data.dataset is None:
            places = {photo.id: place for place, photo in enumerate(data.photos)}
            dataset, categories = _coco_dataset(data), tuple(range(1, len(data.classes) + 1))
            detections = {places.get(photo, photo): detected for photo, detected in detections.items()}
        else:
            dataset, categories = data.dataset, data.categories
        scorer = coco_evaluation(dataset, detections, categories)
        scorer.params.iouThrs = np.asarray(overlaps)
        scorer.params.areaRng, scorer.params.areaRngLbl = scorer.params.areaRng[:1], scorer.params.areaRngLbl[:1]
        evaluate_quietly(scorer)
        self.photos = len(scorer.params.imgIds)
        self.classes: list[tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]] = []
        """Of each class with objects their number in each photo, and its ranking at each overlap (see _rankings)."""
        for start in range(0, len(scorer.evalImgs), self.photos):
            results = enumerate(scorer.evalImgs[start : start + self.photos])
            evaluated = [(place, result) for place, result in results if result is not None]
            counts = np.zeros(self.photos, np.int32)
            for place, result in evaluated:
                counts[place] = np.count_nonzero(result["gtIgnore"] == 0)
            if counts.any():
                self.classes.append((counts, _rankings(evaluated)))

    def mean_ap(self, times: np.ndarray | None = None) -> float:
        """The mean AP, from 0 to 1, of a sample with ``times`` ``[photos]`` copies of each photo, by default one."""
        times = np.ones(self.photos, np.int32) if times is None else times.astype(np.int32)
        values = []
        for counts, rankings in self.classes:
            total = counts @ times
            if not total:
                continue
            for places, hits in rankings:
                weights = times[places]
                right, ranked = np.cumsum(weights[hits]), np.cumsum(weights)[hits]
                precision = np.maximum.accumulate((right / np.maximum(ranked, 1))[::-1])[::-1]
                reached = np.searchsorted(right / total, RECALLS, side="left")
                values.append(np.append(precision, 0.0)[reached].mean())
        return float(np.mean(values)) if values else 0.0

    def draws(self) -> np.ndarray:
        """The mean APs ``[1000]`` of samples of the photos drawn with replacement, the same samples in each call."""
        rng = np.random.default_rng(0)
        samples = (rng.integers(0, self.photos, self.photos) for _ in range(DRAWS))
        return np.array([self.mean_ap(np.bincount(sample, minlength=self.photos)) for sample in samples])


def _rankings(evaluated: list[tuple[int, dict[str, Any]]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """At each overlap the photos of the detections that count, best first, and which of these find an object."""
    results = [result for _, result in evaluated]
    photos = np.repeat([place for place, _ in evaluated], [len(result["dtScores"]) for result in results])
    scores = np.concatenate([result["dtScores"] for result in results])
    order = np.argsort(-scores, kind="stable")  # ranks equal scores as the scorer does
    matched, ignored = (
        np.concatenate([result[key] for result in results], axis=1)[:, order] for key in ("dtMatches", "dtIgnore")
    )
    counting = [np.flatnonzero(~row.astype(bool)) for row in ignored]
    return [(photos[order][kept], np.flatnonzero(row[kept])) for row, kept in zip(matched, counting, strict=True)]


def _coco_dataset(data: DetectionData) -> dict[str, list[dict[str, Any]]]:
    """The content of a COCO file of the photos and objects; a photo's id is its position."""
    return {
        "images": [{"id": place, "height": p.height, "width": p.width} for place, p in enumerate(data.photos)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(data.classes, start=1)],
        "annotations": [
            entry
            for place, photo in enumerate(data.photos)
            for entry in coco_entries(place, photo.objects, range(1, len(data.classes) + 1))
        ],
    }


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The percentile interval that holds 95 % of the values of :meth:`Matches.draws`.

    The difference between two detectors' draws is paired, because both are of the same samples.
    """
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
