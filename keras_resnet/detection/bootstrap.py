"""How sure a difference between two detectors is: the paired bootstrap over photos."""

from collections.abc import Hashable, Mapping

import numpy as np

from keras_resnet.detection.boxes import Detections, Truths, iou

OVERLAPS = np.arange(0.5, 1.0, 0.05)  # COCO's
RECALLS = np.linspace(0, 1, 101)
DRAWS = 1000
MOST = 100


class Matches:
    """Which detections find objects, photo by photo, so that the mean AP of any sample of photos is quick to have.

    The matching is COCO's (each detection, the best first, takes the best free object of its class; ignored objects
    may be taken by many and count for nothing) and so is the AP, at 101 recalls.

    Args:
        truths: photo to its objects.
        found: photo to what was found there.
        overlaps: that a detection needs; the AP is the mean over them.
    """

    def __init__(self, truths: Mapping[Hashable, Truths], found: Mapping[Hashable, Detections], overlaps=OVERLAPS):
        self.photos = list(truths)
        classes = sorted({int(c) for t in truths.values() for c in t.classes[~t.ignored]})
        self.counts = np.zeros((len(classes), len(self.photos)), int)
        self.rows = []
        nothing = Detections(np.zeros((0, 4)), [], [])
        for number, each in enumerate(classes):
            parts = []
            for place, photo in enumerate(self.photos):
                objects, seen = truths[photo], found.get(photo, nothing)
                own, mine = objects.classes == each, seen.classes == each
                self.counts[number, place] = (own & ~objects.ignored).sum()
                parts.append(_photo(objects.boxes[own], objects.ignored[own], seen, mine, place, overlaps))
            places, scores, verdicts = (np.concatenate(part) for part in zip(*parts, strict=True))
            order = np.argsort(-scores, kind="stable")
            self.rows.append((places[order], verdicts[order]))

    def mean_ap(self, times: np.ndarray | None = None) -> float:
        """From 0 to 1, of a sample that takes each photo so many ``times``, ``[photos]``; of all once if None."""
        times = np.ones(len(self.photos), int) if times is None else times
        values = []
        for counts, (places, verdicts) in zip(self.counts, self.rows, strict=True):
            total = counts @ times
            if not total:
                continue
            weights = times[places][:, None]
            right, wrong = (np.cumsum(weights * (verdicts == kind), axis=0) for kind in (1, 0))
            precision = right / np.maximum(right + wrong, 1)
            precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
            for column in range(verdicts.shape[1]):
                at = np.searchsorted(right[:, column] / total, RECALLS, side="left")
                padded = np.append(precision[:, column], 0.0)
                values.append(padded[at].mean())
        return float(np.mean(values)) if values else 0.0


def _photo(boxes, ignored, seen, mine, place, overlaps):
    """Photo number, score, and verdict per overlap (1 right, 0 wrong, -1 of an ignored object) of each detection."""
    order = np.argsort(-seen.scores[mine], kind="stable")[:MOST]
    scores, own = seen.scores[mine][order], seen.boxes[mine][order]
    verdicts = np.zeros((len(own), len(overlaps)), int)
    shared = iou(own, boxes)
    for column, needed in enumerate(overlaps):
        free = np.ones(len(boxes), bool)
        for row in range(len(own)):
            for kind, candidates in ((1, free & ~ignored), (-1, ignored)):
                values = np.where(candidates, shared[row], -1.0)
                if len(values) and values.max() >= needed:
                    free[values.argmax()] &= kind == -1
                    verdicts[row, column] = kind
                    break
    return np.full(len(own), place), scores, verdicts


def paired_interval(first: Matches, second: Matches, seed: int = 0, share: float = 0.95) -> tuple[float, float]:
    """The interval of how much higher the mean AP of ``second`` is than that of ``first``, on the same photos.

    Photos are drawn with replacement, the same ones for both; the percentile bootstrap of 1,000 draws.
    """
    rng = np.random.default_rng(seed)
    count = len(first.photos)
    differences = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, count, count), minlength=count)
        differences.append(second.mean_ap(times) - first.mean_ap(times))
    tail = 100 * (1 - share) / 2
    low, high = np.percentile(differences, [tail, 100 - tail])
    return float(low), float(high)


def interval(matches: Matches, seed: int = 0, share: float = 0.95) -> tuple[float, float]:
    """The interval of the mean AP itself, by the same bootstrap."""
    rng = np.random.default_rng(seed)
    count = len(matches.photos)
    values = [matches.mean_ap(np.bincount(rng.integers(0, count, count), minlength=count)) for _ in range(DRAWS)]
    tail = 100 * (1 - share) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
