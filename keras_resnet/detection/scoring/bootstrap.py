"""How sure a difference between two detectors is: the paired bootstrap over photos."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.coco_scoring import coco_evaluation, evaluate_quietly

OVERLAPS = np.arange(0.5, 1.0, 0.05)  # COCO's
RECALLS = np.linspace(0, 1, 101)
DRAWS = 1000


class Matches:
    """Which detections find objects, photo by photo, so that the mean AP of any sample of photos is quick to have.

    The matching is that of COCO's own scorer, with its crowds and its 100 detections a class and photo; so is the AP,
    at 101 recalls. Of data without a COCO file, ignored objects (VOC's difficult ones) count as crowds.

    Args:
        data: the photos with their objects.
        found: photo id to what was found there.
        overlaps: that a detection needs; the AP is the mean over them.

    Raises:
        InputError: detections of a photo that is not in the data.
    """

    def __init__(self, data: DetectionData, found: Mapping[Any, Detections], overlaps=OVERLAPS):
        if data.dataset is None:
            places = {photo.id: place for place, photo in enumerate(data.photos)}
            dataset, categories = _coco_dataset(data), list(range(1, len(data.classes) + 1))
            found = {places.get(photo, photo): seen for photo, seen in found.items()}
        else:
            dataset, categories = data.dataset, list(data.categories)
        scorer = coco_evaluation(dataset, found, categories)
        scorer.params.iouThrs = np.asarray(overlaps)
        scorer.params.areaRng, scorer.params.areaRngLbl = scorer.params.areaRng[:1], scorer.params.areaRngLbl[:1]
        evaluate_quietly(scorer)
        self.photos = len(scorer.params.imgIds)
        self.classes = []  # of each with objects: its objects by photo, and its ranking for each overlap
        for start in range(0, len(scorer.evalImgs), self.photos):
            seen = [(p, e) for p, e in enumerate(scorer.evalImgs[start : start + self.photos]) if e is not None]
            counts = np.zeros(self.photos, np.int32)
            for place, each in seen:
                counts[place] = np.count_nonzero(each["gtIgnore"] == 0)
            if counts.any():
                self.classes.append((counts, _rankings(seen)))

    def mean_ap(self, times: np.ndarray | None = None) -> float:
        """From 0 to 1, of a sample that takes each photo so many ``times``, ``[photos]``; of all once if None."""
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

    def draws(self, seed: int = 0) -> np.ndarray:
        """The mean AP of 1,000 samples of the photos, drawn with replacement: the same ones for the same seed."""
        rng = np.random.default_rng(seed)
        samples = (rng.integers(0, self.photos, self.photos) for _ in range(DRAWS))
        return np.array([self.mean_ap(np.bincount(each, minlength=self.photos)) for each in samples])


def _rankings(seen) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each overlap the photos of the detections that count, the best first, and which of these find an object."""
    places = np.repeat([place for place, _ in seen], [len(each["dtScores"]) for _, each in seen])
    scores = np.concatenate([each["dtScores"] for _, each in seen])
    order = np.argsort(-scores, kind="stable")  # as the scorer ranks equal scores
    matched, ignored = (
        np.concatenate([each[key] for _, each in seen], axis=1)[:, order] for key in ("dtMatches", "dtIgnore")
    )
    counting = [np.flatnonzero(~row.astype(bool)) for row in ignored]
    return [(places[order][kept], np.flatnonzero(row[kept])) for row, kept in zip(matched, counting, strict=True)]


def _coco_dataset(data: DetectionData) -> dict:
    """The photos and objects of ``data`` as COCO's file has them; a photo's id is its place."""
    annotations = [
        {
            "image_id": place,
            "category_id": int(number) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": int(ignored),
        }
        for place, photo in enumerate(data.photos)
        for (x1, y1, x2, y2), number, ignored in zip(
            photo.objects.boxes.tolist(), photo.objects.classes, photo.objects.ignored, strict=True
        )
    ]
    return {
        "images": [{"id": place, "height": p.height, "width": p.width} for place, p in enumerate(data.photos)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(data.classes, start=1)],
        "annotations": annotations,
    }


def interval(draws: np.ndarray, share: float = 0.95) -> tuple[float, float]:
    """The percentile interval of what was drawn by :meth:`Matches.draws`.

    The difference of two detectors' draws of one seed is paired: the samples are the same photos.
    """
    tail = 100 * (1 - share) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return float(low), float(high)
