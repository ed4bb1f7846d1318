"""The rows of Table 13: the RPN alone, with the R-CNN, and ensembles, with true and with predicted classes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.training.photo_reading import read_photos
from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import Estimate
from keras_resnet.evaluation.views import CENTER, View
from keras_resnet.localization.classes import probabilities, top_classes
from keras_resnet.localization.defaults import PROPOSALS
from keras_resnet.localization.localizer import Localizer
from keras_resnet.localization.networks import LocalizationRCNN, LocalizationRPN
from keras_resnet.localization.row_names import ROWS, Row, RowName
from keras_resnet.localization.scoring import difference, mistakes, write_submission
from keras_resnet.tables import Table, write_tables

WARMED = 2  # photos before the clock starts: the first ones compile
DENSE = View("multi-scale", flips=True)


@dataclass(frozen=True)
class Networks:
    """What localizes: RPNs, R-CNNs and classifiers; more than one of a kind make the ensemble."""

    rpns: Sequence[LocalizationRPN]
    rcnns: Sequence[LocalizationRCNN] = ()
    classifiers: Sequence[keras.Model] = ()

    def rows(self, annotated: bool) -> tuple[RowName, ...]:
        """Those that the networks allow; without annotations only those of predicted classes."""
        several = max(map(len, (self.rpns, self.rcnns, self.classifiers))) > 1
        return tuple(
            name
            for name, row in ROWS.items()
            if (row.top == 1 or self.classifiers)
            and (row.top > 1 or annotated)
            and (not row.rescored or self.rcnns)
            and (not row.ensemble or several)
        )

    def localizer(self, row: Row, dense: View = DENSE, count: int = PROPOSALS) -> Localizer:
        """What a row tests."""
        members = None if row.ensemble else 1
        rcnns = self.rcnns[:members] if row.rescored else ()
        return Localizer(
            self.rpns[:members], rcnns, dense if row.dense else CENTER, count if row.rescored else PROPOSALS
        )


@dataclass(frozen=True)
class Testing:
    """How the rows are tested.

    Fields:
        rows: which, all that the networks allow if None.
        dense: the view of dense testing.
        count: proposals of a photo and class that the R-CNN scores again.
        submissions: a folder for submission files, one below it for each row; None for none.
        json: a file for the table as data, or None.
    """

    rows: tuple[RowName, ...] | None = None
    dense: View = DENSE
    count: int = PROPOSALS
    submissions: Path | None = None
    json: Path | None = None


def print_rows(networks: Networks, data: DetectionData, testing: Testing = Testing()) -> list[dict]:
    """Print the rows for the photos of ``data``, and write what ``testing`` asks for; returns them.

    Each row has its error with the exact 95 % interval, and the difference to the first row of its kind, true class or
    predicted ones, with the paired bootstrap's.

    Raises:
        InputError: a row that the networks do not allow, or networks of other classes.
    """
    allowed = networks.rows(data.annotated)
    lacking = [name for name in testing.rows or () if name not in allowed]
    if lacking or not allowed:
        raise InputError(f"The row {(lacking or list(ROWS))[0]} needs more networks, or annotated photos: see --help.")
    if networks.rpns[0].class_names != data.classes:
        raise InputError(f"{networks.rpns[0].name} knows other classes than {data.name} has: give the data it is for.")
    chosen = [name for name in allowed if name in (testing.rows or allowed)]
    columns = ("row", "paper", "error, % (95 % interval)", "against the first, points", "s/photo")
    table = Table("rows", columns if data.annotated else ("row", "s/photo"))
    truths = [photo.objects for photo in data.photos]
    predicted = {
        count: top_classes(probabilities(networks.classifiers[:count], data)) for count in _members(networks, chosen)
    }
    print(f"{data.name}: {len(data):,} photos\n")
    table.print_header()
    rows: list[dict] = []
    firsts: dict[int, np.ndarray] = {}
    for name in chosen:
        row = ROWS[name]
        members = len(networks.classifiers) if row.ensemble else 1
        classes = [t.classes[:1] for t in truths] if row.top == 1 else predicted[members]
        answers, seconds = _answers(networks.localizer(row, testing.dense, testing.count), data, classes)
        rows.append({"row": name, "seconds": seconds})
        cells = []
        if data.annotated:
            wrong = mistakes(truths, answers)
            estimate, first = Estimate(int(wrong.sum()), len(wrong)), firsts.setdefault(row.top, wrong)
            rows[-1] |= {
                "error": estimate.percent,
                "interval": estimate.interval,
                "wrong": np.flatnonzero(wrong).tolist(),
            }
            cells = [row.paper, str(estimate), ""]
            if first is not wrong:
                apart, (low, high) = difference(wrong, first)
                rows[-1] |= {"against_first": apart, "against_first_interval": (low, high)}
                cells[-1] = f"{apart:+.1f} ({low:+.1f} to {high:+.1f})"
        table.add(row.words, *cells, f"{seconds:.3f}")
        if testing.submissions:
            write_submission(testing.submissions / name, data, answers)
    write_tables(testing.json, [table], data=data.name, photos=len(data), rows=rows)
    return rows


def _members(networks: Networks, chosen: Sequence[RowName]) -> set[int]:
    """How many classifiers the rows with predicted classes take."""
    return {len(networks.classifiers) if ROWS[name].ensemble else 1 for name in chosen if ROWS[name].top > 1}


def _answers(localizer: Localizer, data: DetectionData, classes) -> tuple[list[Detections], float]:
    """What is found in each photo for its classes, and the median seconds a photo took."""
    answers, seconds = [], []
    for (photo, image), candidates in zip(read_photos(data), classes, strict=True):
        start = time.perf_counter()
        answers.append(localizer(image, candidates, photo.file))
        seconds.append(time.perf_counter() - start)
    return answers, float(np.median(seconds[WARMED:] or seconds))
