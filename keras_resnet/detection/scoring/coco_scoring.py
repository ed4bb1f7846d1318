"""COCO's scores by its own scorer, ``pycocotools``."""

import contextlib
import io
from collections.abc import Mapping

from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.scoring.submission import coco_results
from keras_resnet.errors import InputError

NAMES = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)


def coco_scores(dataset: dict, detections: Mapping[int, Detections], categories: list[int]) -> dict[str, float]:
    """COCO's twelve numbers, from 0 to 1 (-1 where there are no such objects), over all images of ``dataset``.

    Args:
        dataset: the content of a COCO annotation file, with its ``iscrowd`` and ``area``.
        detections: image id to what was found there; images without are scored as such.
        categories: class number to category id.

    Raises:
        InputError: detections of an image that is not in the data set.
    """
    scorer = coco_evaluation(dataset, detections, categories)
    evaluate_quietly(scorer)
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.accumulate()
        scorer.summarize()
    return dict(zip(NAMES, map(float, scorer.stats), strict=True))


def coco_evaluation(dataset: dict, detections: Mapping[int, Detections], categories: list[int]):
    """``pycocotools``' ``COCOeval`` of the detections, with the arguments and errors of :func:`coco_scores`.

    Annotations are numbered anew from 1: to the scorer a detection that was matched with the id 0 is not matched.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known = {image["id"] for image in dataset["images"]}
    for image in detections:
        if image not in known:
            raise InputError(f"There are detections of image {image!r}, which is not in the data set.")
    numbered = [{**entry, "id": number} for number, entry in enumerate(dataset["annotations"], start=1)]
    results = coco_results(detections, categories)
    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress there
        truth = COCO()
        truth.dataset = {**dataset, "annotations": numbered}
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        if not results:
            found.dataset = {**dataset, "annotations": []}
            found.createIndex()
        scorer = COCOeval(truth, found, "bbox")
    scorer.params.imgIds = sorted(known)
    return scorer


def evaluate_quietly(scorer) -> None:
    """Let a scorer match all detections without the lines it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate()
