"""COCO's scores by its own scorer, ``pycocotools``."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.scoring.submission import coco_results
from keras_resnet.errors import InputError

if TYPE_CHECKING:
    from pycocotools.cocoeval import COCOeval

NAMES = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)
CLASS_AXES = {"precision": 2, "recall": 1}  # of the scorer's arrays


def coco_scores(dataset: dict, detections: DetectionsByPhoto, categories: Sequence[int | str]) -> dict[str, float]:
    """COCO's twelve scores, from 0 to 1 (-1 where no objects have that size), over all images of ``dataset``.

    Args:
        dataset: the content of a COCO annotation file, with ``iscrowd`` and ``area``.
        detections: by image id; images without any count too.
        categories: the category id of each class.

    Raises:
        InputError: detections of an image that is not in the data set.
    """
    scorer = coco_evaluation(dataset, detections, categories)
    by_class: dict[str, list[np.ndarray]] = {name: [] for name in CLASS_AXES}
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in matched_by_class(scorer):
            scorer.accumulate()
            for name, values in by_class.items():
                values.append(scorer.eval[name])
        scorer.eval = {name: np.concatenate(values, CLASS_AXES[name]) for name, values in by_class.items()}
        scorer.summarize()
    return dict(zip(NAMES, map(float, scorer.stats), strict=True))


def coco_evaluation(dataset: dict, detections: DetectionsByPhoto, categories: Sequence[int | str]) -> "COCOeval":
    """A ``COCOeval`` of the detections, before it matches them; arguments and errors are :func:`coco_scores`'.

    Images, categories and annotations are numbered from 1 in the order of their ids, annotations in that of the list:
    the scorer takes no names as ids, and a match with the id 0 for no match.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    images, classes = _numbers(dataset["images"]), _numbers(dataset["categories"])
    for image in detections:
        if image not in images:
            raise InputError(f"There are detections of image {image!r}, which is not in the data set.")
    numbered = {
        "images": [{**image, "id": images[image["id"]]} for image in dataset["images"]],
        "categories": [{**category, "id": classes[category["id"]]} for category in dataset["categories"]],
        "annotations": [
            {**entry, "id": number, "image_id": images[entry["image_id"]], "category_id": classes[entry["category_id"]]}
            for number, entry in enumerate(dataset["annotations"], start=1)
        ],
    }
    by_number = {images[image]: detected for image, detected in detections.items()}
    results = coco_results(by_number, [classes[category] for category in categories])
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = numbered
        truth.createIndex()
        detected = truth.loadRes(results) if results else COCO()
        if not results:
            detected.dataset = {**numbered, "annotations": []}
            detected.createIndex()
        scorer = COCOeval(truth, detected, "bbox")
    scorer.params.imgIds = list(images.values())
    return scorer


def _numbers(entries: Sequence[dict[str, Any]]) -> dict[int | str, int]:
    """A number from 1 on for the id of each entry, in the order of the ids."""
    return {identifier: number for number, identifier in enumerate(sorted(entry["id"] for entry in entries), start=1)}


def matched_by_class(scorer: "COCOeval") -> Iterator[int]:
    """Let a scorer match the detections of one class after another, and give the numbers of the classes.

    At each, ``scorer.evalImgs`` are of the photos that have objects or detections of the class, or of any photo if none
    has; the scorer's parameters are of this class and these photos, also afterwards. For all classes at once, the
    scorer would keep 0.7 kB for each class and photo: 4 GiB for 1,200 classes and 5,000 photos.
    """
    objects, detected = scorer.cocoGt.catToImgs, scorer.cocoDt.catToImgs
    any_photo = scorer.params.imgIds[:1]
    for number, category in enumerate(list(scorer.params.catIds)):
        scorer.params.catIds = [category]
        scorer.params.imgIds = sorted({*objects.get(category, ()), *detected.get(category, ())}) or any_photo
        evaluate_quietly(scorer)
        yield number


def evaluate_quietly(scorer: "COCOeval") -> None:
    """Let a scorer match all detections without printing its progress."""
    with contextlib.redirect_stdout(io.StringIO()):
        scorer.evaluate()
