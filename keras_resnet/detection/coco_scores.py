"""COCO's scores by its own scorer, ``pycocotools``."""

import contextlib
import io
from collections.abc import Mapping

from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.submission import coco_results
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
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    known = {image["id"] for image in dataset["images"]}
    for image in detections:
        if image not in known:
            raise InputError(f"There are detections of image {image!r}, which is not in the data set.")
    results = coco_results(detections, categories)
    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress there
        truth = COCO()
        truth.dataset = dataset
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        if not results:
            found.dataset = {**dataset, "annotations": []}
            found.createIndex()
        scorer = COCOeval(truth, found, "bbox")
        scorer.params.imgIds = sorted(known)
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    return dict(zip(NAMES, map(float, scorer.stats), strict=True))
