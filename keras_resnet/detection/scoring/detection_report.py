"""The results of a detector by class and size: precisions with intervals, thresholds, confusions, and its mistakes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_resnet import drawing, plots
from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.data.box_statistics import SIZES
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.bootstrap import RECALLS, ClassMatches, Matches, interval
from keras_resnet.detection.scoring.mistakes import OVERLAP, Mistake, Mistakes, mistakes
from keras_resnet.evaluation.by_class import Share, write_matrix
from keras_resnet.evaluation.class_report import CLASSES_CSV, MATRIX_CSV, MATRIX_PNG, MAX_NAMED
from keras_resnet.tables import write_csv
from keras_resnet.training.files.workdir import FALSE_JPG, MISSED_JPG, PRECISION_PNG

NO_THRESHOLD = 0.5  # of a class without objects, or of which none was found
SHOWN_CURVES, SHOWN_PAIRS, DRAWN = 12, 10, 12  # classes, pairs, and pictures of mistakes
CURVE_POINTS = 11  # of a curve in a result file
AROUND = 0.5  # of a box's longer side that is shown around it
LEAST_SHOWN = 32  # pixels of it


@dataclass(frozen=True)
class DetectionReport:
    """The detections in a part of a data set.

    Args:
        data: its photos with their objects.
        detections: by photo id.
    """

    data: DetectionData
    detections: DetectionsByPhoto

    @cached_property
    def matches(self) -> Matches:
        """Which detections find objects, at an overlap of one half."""
        return Matches(self.data, self.detections, (OVERLAP,))

    @cached_property
    def thresholds(self) -> np.ndarray:
        """The score of each class from which F1 is highest, ``[classes]``; a half for a class that is never found."""
        values = np.full(len(self.data.classes), NO_THRESHOLD)
        for matched in self.matches.classes:
            values[matched.number] = best_threshold(matched)
        return values

    @cached_property
    def mistakes(self) -> Mistakes:
        """Confusions, and missed and false boxes, at these thresholds."""
        return mistakes(self.data, self.detections, self.thresholds)

    @property
    def common_threshold(self) -> float:
        """The score from which F1 of all classes together is highest."""
        scores = [matched.rankings[0].scores for matched in self.matches.classes]
        hits = [np.isin(np.arange(len(row)), matched.rankings[0].hits) for row, matched in zip(
            scores, self.matches.classes, strict=True)]  # fmt: skip
        if not scores:
            return NO_THRESHOLD
        order = np.argsort(-np.concatenate(scores), kind="stable")
        objects = sum(int(matched.counts.sum()) for matched in self.matches.classes)
        return _highest_f1(np.concatenate(scores)[order], np.concatenate(hits)[order], objects)

    def as_json(self) -> dict[str, Any]:
        """Plain values; shares and their intervals are in percent."""
        return self._values

    @cached_property
    def _values(self) -> dict[str, Any]:
        by_class = dict(zip((matched.number for matched in self.matches.classes), self._aps(), strict=True))
        curves = {
            matched.number: precision_recall(matched)[:: 100 // (CURVE_POINTS - 1)] for matched in self.matches.classes
        }
        names, matrix = self.data.classes, self.mistakes.matrix
        classes = []
        for number, name in enumerate(names):
            recall, precision = self._shares(number)
            classes.append(
                {"class": name, "objects": recall.total, "boxes": precision.total, "AP50": by_class.get(number)}
                | {"threshold": float(self.thresholds[number])}
                | {"recall": recall.values, "precision": precision.values}
                | {"precision_at_recall": [round(100 * float(value), 1) for value in curves.get(number, [])]}
            )
        pairs = np.argwhere(matrix[:-1, :-1] * (1 - np.eye(len(names), dtype=int)))
        most = sorted(pairs.tolist(), key=lambda pair: -matrix[tuple(pair)])[:SHOWN_PAIRS]
        return {
            "AP50": _percents(self.matches.mean_ap(), self.matches.draws()),
            "threshold": self.common_threshold,
            "sizes": [row for row in map(self._of_size, SIZES) if row["AP50"] is not None],
            "confused": [
                {"class": names[label], "answer": names[answer], "count": int(matrix[label, answer])}
                for label, answer in most
            ],
            "missed": int(matrix[:-1, -1].sum()),
            "false": int(matrix[-1, :-1].sum()),
            "classes": classes,
        }

    def writers(self) -> dict[str, Callable[[Path], None]]:
        """A function for each file of the report that writes it."""
        matrix, names = self.mistakes.matrix, [*self.data.classes, "nothing"]
        curves = sorted(self.matches.classes, key=lambda matched: -matched.counts.sum())[:SHOWN_CURVES]
        lines = {self.data.classes[matched.number]: 100 * precision_recall(matched) for matched in curves}
        return {
            CLASSES_CSV: self._write_classes,
            MATRIX_CSV: lambda path: write_matrix(path, matrix, names),
            MATRIX_PNG: lambda path: plots.confusion(matrix, names if len(names) <= MAX_NAMED else [], path),
            PRECISION_PNG: lambda path: plots.precision_recall(100 * RECALLS, lines, path),
            MISSED_JPG: lambda path: self._draw(self.mistakes.missed, "no object is missed", path),
            FALSE_JPG: lambda path: self._draw(self.mistakes.false, "no box is false", path),
        }

    def _aps(self) -> list[list[float]]:
        """The AP50 of each class with objects, in percent, with its interval."""
        values, draws = self.matches.class_aps(), self.matches.class_draws
        return [_percents(value, column) for value, column in zip(values, draws.T, strict=True)]

    def _of_size(self, size: str) -> dict[str, Any]:
        matches = Matches(self.data, self.detections, (OVERLAP,), size)
        objects = sum(int(matched.counts.sum()) for matched in matches.classes)
        score = _percents(matches.mean_ap(), matches.draws()) if objects else None
        return {"size": size, "objects": objects, "AP50": score}

    def _shares(self, number: int) -> tuple[Share, Share]:
        """Recall and precision of a class at its threshold."""
        matrix = self.mistakes.matrix
        right = int(matrix[number, number])
        return Share(right, int(matrix[number].sum())), Share(right, int(matrix[:, number].sum()))

    def _write_classes(self, path: Path) -> None:
        bounds = [f"{kind}{bound}, %" for kind in ("AP50", "recall", "precision") for bound in ("", " from", " to")]
        rows = [["class", "objects", "boxes", "threshold", *bounds]]
        for row in self.as_json()["classes"]:
            shares = [*(row["AP50"] or [None] * 3), *row["recall"], *row["precision"]]
            rows.append([row["class"], row["objects"], row["boxes"], row["threshold"], *shares])
        write_csv(path, rows)

    def _draw(self, rows: Sequence[Mistake], nothing: str, path: Path) -> None:
        """Draw the worst of the mistakes, each with what is around its box, into a JPEG file."""
        pictures, titles = [drawing.BLANK], [nothing]
        if rows:
            pictures = [self._picture(row) for row in rows[:DRAWN]]
            titles = [self._title(row) for row in rows[:DRAWN]]
        Image.fromarray(drawing.photo_grid(pictures, titles)).save(path, format="JPEG", quality=90)

    def _picture(self, row: Mistake) -> np.ndarray:
        try:
            picture = self.data.picture(row.photo).numpy()
        except Exception:  # a photo that was lost in the run, whose objects count as missed
            return np.full((LEAST_SHOWN, LEAST_SHOWN, 3), 200, np.uint8)
        around = max(LEAST_SHOWN, AROUND * float((row.box[2:] - row.box[:2]).max()))
        left, top = np.maximum(row.box[:2] - around, 0).astype(int)
        right, bottom = (np.minimum(row.box[2:] + around, picture.shape[1::-1])).astype(int)
        box = row.box - [left, top, left, top]
        return drawing.boxes(picture[top:bottom, left:right], box[None], [""], [0])

    def _title(self, row: Mistake) -> str:
        names, file = self.data.classes, self.data.photos[row.photo].file.name
        if row.answer is None:
            return f"{names[row.label]} missed\n{file}"  # type: ignore[index]
        truth = "nothing" if row.label is None else names[row.label]
        return f"{names[row.answer]} {row.score:.2f}, is {truth}\n{file}"


def best_threshold(matched: ClassMatches) -> float:
    """The score from which F1, the harmonic mean of recall and precision, of a class is highest."""
    ranking = matched.rankings[0]
    hits = np.isin(np.arange(len(ranking.scores)), ranking.hits)
    return _highest_f1(ranking.scores, hits, int(matched.counts.sum()))


def precision_recall(matched: ClassMatches) -> np.ndarray:
    """The highest precision at each of COCO's 101 recalls or a higher one, ``[101]``."""
    ranking = matched.rankings[0]
    right = np.arange(1, len(ranking.hits) + 1)
    precision = np.maximum.accumulate((right / (ranking.hits + 1))[::-1])[::-1]
    return np.append(precision, 0.0)[np.searchsorted(right / matched.counts.sum(), RECALLS, side="left")]


def _highest_f1(scores: np.ndarray, hits: np.ndarray, objects: int) -> float:
    """The least score, rounded down, of the best ones among descending ``scores``; equal scores stay together."""
    if not hits.any():
        return NO_THRESHOLD
    f1 = 2 * np.cumsum(hits) / (np.arange(1, len(hits) + 1) + objects)
    last = np.append(scores[1:] < scores[:-1], True)  # of equal scores
    return float(np.floor(1e4 * scores[np.where(last, f1, -1.0).argmax()]) / 1e4)


def _percents(value: float, draws: np.ndarray) -> list[float]:
    return [100 * float(value), *(100 * bound for bound in interval(draws))]
