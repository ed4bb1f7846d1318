"""The report of a model's answers: classes, confusions and calibration, as a table, pictures and plain values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from keras_resnet import drawing, plots
from keras_resnet.evaluation.by_class import ByClass, Confusion, similar_order, write_matrix
from keras_resnet.evaluation.calibration import Reliability, at_temperature, fit_temperature, reliability
from keras_resnet.evaluation.scoring import Scores
from keras_resnet.files import check_all_replaceable
from keras_resnet.tables import Table, write_csv

CLASSES_CSV, MATRIX_CSV, MATRIX_PNG, RELIABILITY_PNG, PAIRS_PNG = (
    *("classes.csv", "confusion.csv"),
    *("confusion.png", "reliability.png", "confused.png"),
)
BOUNDS = [f"{kind}{bound}, %" for kind in ("recall", "precision") for bound in ("", " from", " to")]
CSV_COLUMNS = ("class", "photos", "answers", "right", *BOUNDS)
FILES = (CLASSES_CSV, MATRIX_CSV, MATRIX_PNG, RELIABILITY_PNG, PAIRS_PNG)
MAX_NAMED = 30  # classes; more are ordered by similarity, and drawn without names
SHOWN_CLASSES, SHOWN_PAIRS, DRAWN_PAIRS, SHOWN_PHOTOS = 20, 10, 5, drawing.PHOTOS_IN_A_ROW
COLUMNS = ("class", "photos", "recall (95 % interval)", "answers", "precision (95 % interval)")


class Photos(Protocol):
    """The photos of a part of a data set, by position."""

    def photo(self, position: int) -> str:
        """The name of a photo."""
        ...

    def picture(self, position: int) -> np.ndarray:
        """A photo as a picture, uint8 ``[height, width, 3]``."""
        ...


@dataclass(frozen=True)
class ClassReport:
    """The answers of a model to a part of a data set.

    Args:
        answers: the answers for the part.
        temperature: divides the logits for calibrated probabilities; fitted on the validation part.
        photos: the photos of the part.
    """

    answers: ByClass
    temperature: float
    photos: Photos

    @property
    def reliabilities(self) -> dict[str, Reliability]:
        """The reliability of the probabilities without and with the temperature, by their names."""
        calibrated = at_temperature(self.answers.scores, self.temperature)
        return {
            "as trained": reliability(self.answers.scores),
            f"at temperature {self.temperature:.2f}": reliability(calibrated),
        }

    @property
    def pairs(self) -> list[Confusion]:
        """The most confused pairs of classes."""
        return self.answers.confusions(SHOWN_PAIRS)

    def table(self) -> Table:
        """A table with a row per class; if there are many, only those of lowest recall, the lowest first."""
        results = self.answers.results
        if len(results) > SHOWN_CLASSES:
            with_photos = [result for result in results if result.recall.total]
            results = sorted(with_photos, key=lambda result: result.recall.count / result.recall.total)[:SHOWN_CLASSES]
        table = Table("classes", COLUMNS)
        for result in results:
            photos, answers = f"{result.recall.total:,}", f"{result.precision.total:,}"
            table.rows.append((result.name, photos, str(result.recall), answers, str(result.precision)))
        return table

    def as_json(self) -> dict[str, Any]:
        """Plain values without the confusion matrix; errors, shares and their intervals are in percent."""
        names = self.answers.classes
        pairs = [
            {"class": names[pair.label], "answer": names[pair.answer], "count": pair.count}
            | {"photos": [self.photos.photo(position) for position in pair.positions[:SHOWN_PHOTOS]]}
            for pair in self.pairs
        ]
        before, after = (bins.error for bins in self.reliabilities.values())
        calibration = {"error": before, "temperature": self.temperature, "error_at_temperature": after}
        classes = [
            {"class": result.name, "photos": result.recall.total, "answers": result.precision.total}
            | {"right": result.recall.count, "recall": result.recall.values}
            | {"precision": result.precision.values}
            for result in self.answers.results
        ]
        balanced = {"balanced_error": self.answers.balanced_error}
        return balanced | {"calibration": calibration, "confused": pairs, "classes": classes}

    def writers(self) -> dict[str, Callable[[Path], None]]:
        """A function for each of ``FILES`` that writes it."""
        names, matrix = self.answers.classes, self.answers.matrix
        order = similar_order(matrix) if len(names) > MAX_NAMED else range(len(names))
        ordered, named = matrix[order][:, order], [names[number] for number in order]
        return {
            CLASSES_CSV: self._write_classes,
            MATRIX_CSV: lambda path: write_matrix(path, ordered, named),
            MATRIX_PNG: lambda path: plots.confusion(ordered, named if len(named) <= MAX_NAMED else [], path),
            RELIABILITY_PNG: lambda path: plots.reliability(self.reliabilities, path),
            PAIRS_PNG: self._draw_pairs,
        }

    def _draw_pairs(self, path: Path) -> None:
        """Draw the photos of the most confused pairs, a row per pair, in descending order of probability."""
        names, probabilities = self.answers.classes, self.answers.scores.probabilities
        pictures, titles = [], []
        for pair in self.pairs[:DRAWN_PAIRS]:
            shown = pair.positions[:SHOWN_PHOTOS]
            blank = SHOWN_PHOTOS - len(shown)
            pictures += [*map(self.photos.picture, shown), *[drawing.BLANK] * blank]
            percents = (f"{probabilities[position, pair.answer]:.0%}" for position in shown)
            titles += [
                *(f"{names[pair.label]}, answer\n{names[pair.answer]} {percent}" for percent in percents),
                *[""] * blank,
            ]
        if not pictures:
            pictures, titles = [drawing.BLANK], ["all answers are right"]
        Image.fromarray(drawing.photo_grid(pictures, titles)).save(path, format="PNG")

    def _write_classes(self, path: Path) -> None:
        rows: list[Sequence[object]] = [CSV_COLUMNS]
        for result in self.answers.results:
            counts = [result.recall.total, result.precision.total, result.recall.count]
            rows.append([result.name, *counts, *result.recall.values, *result.precision.values])
        write_csv(path, rows)


def check_folder(folder: Path) -> None:
    """Raise :class:`InputError` if ``folder`` has tables or pictures of something else, which would be replaced."""
    check_all_replaceable(folder / CLASSES_CSV, ",".join(CSV_COLUMNS[:4]), FILES[1:])


def report_of(scores: Scores, classes: Sequence[str], photos: Photos, validation: Scores | None = None) -> ClassReport:
    """The report of the ``scores`` of ``photos``, with the temperature of those of the ``validation`` part.

    Without ``validation`` they are the validation part's themselves.
    """
    return ClassReport(ByClass(scores, tuple(classes)), fit_temperature(validation or scores), photos)
