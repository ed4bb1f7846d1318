"""COCO's scores by its own scorer, ``pycocotools``."""

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.scoring.submission import coco_results
from keras_resnet.errors import InputError

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

NAMES = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)


def coco_scores(dataset: dict, detections: DetectionsByPhoto, categories: Sequence[int]) -> dict[str, float]:
    """COCO's twelve scores, from 0 to 1 (-1 where no objects have that size), over all images of ``dataset``.

    Args:
        dataset: the content of a COCO annotation file, with ``iscrowd`` and ``area``.
        detections: by image id; images without any count too.
        categories: the category id of each class.

    Raises:
        InputError: detections of an image that is not in the data set.
    """
    scorer = coco_evaluation(dataset, detections, categories)
    evaluate_quietly(scorer)
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.accumulate()
        scorer.summarize()
    return dict(zip(NAMES, map(float, scorer.stats), strict=True))


def coco_evaluation(dataset: dict, detections: DetectionsByPhoto, categories: Sequence[int]) -> "COCOeval":
    """A ``COCOeval`` of the detections, before it matches them; arguments and errors are :func:`coco_scores`'.

    Annotations are renumbered from 1, because the scorer takes a match with the id 0 for no match.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known = {image["id"] for image in dataset["images"]}
    for image in detections:
        if image not in known:
            raise InputError(f"There are detections of image {image!r}, which is not in the data set.")
    numbered = [{**entry, "id": number} for number, entry in enumerate(dataset["annotations"], start=1)]
    results = coco_results(detections, categories)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = {**dataset, "annotations": numbered}
        truth.createIndex()
        detected = truth.loadRes(results) if results else COCO()
        if not results:
            detected.dataset = {**dataset, "annotations": []}
            detected.createIndex()
        scorer = COCOeval(truth, detected, "bbox")
    scorer.params.imgIds = sorted(known)
    return scorer


def evaluate_quietly(scorer: "COCOeval") -> None:
    """Let a scorer match all detections without printing its progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate()
