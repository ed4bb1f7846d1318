"""The error of ILSVRC's localization task, how sure a difference in it is, and its submission files."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_resnet.detection.boxes import Detections, Truths, iou
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.bootstrap import DRAWS, interval
from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import Estimate
from keras_resnet.files import write_whole
from keras_resnet.localization.defaults import FOREGROUND, TOP


def mistakes(truths: Sequence[Truths], answers: Sequence[Detections]) -> np.ndarray:
    """Which photos are wrong, bool ``[photos]``: no answer has a true class and overlaps an object of it by half.

    Args:
        truths: of each photo, its objects; ignored ones do not count.
        answers: of each photo, at most five pairs of class and box, as boxes in pixels of the photo.

    Raises:
        InputError: more than five answers for a photo, or other photos.
    """
    if len(truths) != len(answers):
        raise InputError(f"There are answers for {len(answers)} photos and objects of {len(truths)}: give both of all.")
    wrong = np.ones(len(truths), bool)
    for number, (truth, answer) in enumerate(zip(truths, answers, strict=True)):
        if len(answer.boxes) > TOP:
            raise InputError(f"Photo number {number} has {len(answer.boxes)} answers: the benchmark takes {TOP}.")
        same = (truth.classes[:, None] == answer.classes[None]) & ~truth.ignored[:, None]
        wrong[number] = not (same & (iou(truth.boxes, answer.boxes) >= FOREGROUND)).any()
    return wrong


def error(truths: Sequence[Truths], answers: Sequence[Detections]) -> Estimate:
    """The localization error: the share of wrong photos (see :func:`mistakes`), with its exact 95 % interval."""
    wrong = mistakes(truths, answers)
    return Estimate(int(wrong.sum()), len(wrong))


def difference(wrong: np.ndarray, other: np.ndarray, seed: int = 0) -> tuple[float, tuple[float, float]]:
    """By how many points ``wrong`` is above ``other``, both bool ``[photos]``, with the paired bootstrap's interval."""
    apart = 100 * (wrong.astype(float) - other)
    rng = np.random.default_rng(seed)
    draws = np.array([apart[rng.integers(0, len(apart), len(apart))].mean() for _ in range(DRAWS)])
    return float(apart.mean()), interval(draws)


def write_submission(folder: Path, data: DetectionData, answers: Sequence[Detections]) -> None:
    """Write ``localization.txt`` and ``localization.csv``, which hold the same answers.

    The first is the development kit's: a line a photo, for each answer the class from 1 on, in the order of ``data``,
    and ``xmin ymin xmax ymax``, inclusive corners from 0. The second is Kaggle's, with names of photos and classes.
    """
    texts, rows = [], ["ImageId,PredictionString\n"]
    for photo, answer in zip(data.photos, answers, strict=True):
        boxes = [f"{x1:.1f} {y1:.1f} {x2 - 1:.1f} {y2 - 1:.1f}" for x1, y1, x2, y2 in answer.boxes]
        pairs = list(zip(answer.classes, boxes, strict=True))
        texts.append(" ".join(f"{number + 1} {box}" for number, box in pairs) + "\n")
        rows.append(f"{photo.id},{' '.join(f'{data.classes[n]} {box}' for n, box in pairs)}\n")
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("localization.txt", texts), ("localization.csv", rows)):
        write = functools.partial(Path.write_text, data="".join(lines), encoding="utf-8")
        write_whole(folder / name, write)
