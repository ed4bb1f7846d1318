"""Detections as the benchmarks' servers take them."""

import functools
import json
from collections.abc import Hashable, Mapping
from pathlib import Path

from keras_resnet.detection.boxes import Detections
from keras_resnet.files import write_whole


def coco_results(detections: Mapping[int, Detections], categories: list[int]) -> list[dict]:
    """COCO's result list: image, category, ``[x, y, width, height]`` and score of each detection."""
    return [
        {
            "image_id": int(image),
            "category_id": int(categories[number]),
            "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            "score": float(score),
        }
        for image, found in detections.items()
        for (x1, y1, x2, y2), number, score in zip(found.boxes, found.classes, found.scores, strict=True)
    ]


def write_coco(path: Path, detections: Mapping[int, Detections], categories: list[int]) -> None:
    """Write COCO's result file; ``categories`` is class number to category id."""
    write_whole(Path(path), lambda part: part.write_text(json.dumps(coco_results(detections, categories))))


def write_det(path: Path, detections: Mapping[Hashable, Detections], indexes: Mapping[Hashable, int]) -> None:
    """Write ImageNet DET's file: image index, class id from 1, score, and inclusive corners from 0, a line an object.

    As section 2.4 of the readme of ILSVRC2015's development kit has it; ``indexes`` is image to image index.
    """
    lines = [
        f"{indexes[image]} {number + 1} {score:.6f} {x1:.3f} {y1:.3f} {x2 - 1:.3f} {y2 - 1:.3f}\n"
        for image, found in detections.items()
        for (x1, y1, x2, y2), number, score in zip(found.boxes, found.classes, found.scores, strict=True)
    ]
    write_whole(Path(path), lambda part: part.write_text("".join(lines)))


def write_voc(folder: Path, detections: Mapping[Hashable, Detections], classes: list[str], subset: str) -> None:
    """Write VOC's ``comp4_det_<subset>_<class>.txt`` of every class: image, score and inclusive corners from 1.

    As section 4.3 of VOC2012's development kit has it; ``subset`` is the list of images: ``val``, ``test``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(classes):
        lines = [
            f"{image} {score:.6f} {x1 + 1:.3f} {y1 + 1:.3f} {x2:.3f} {y2:.3f}\n"
            for image, found in detections.items()
            for (x1, y1, x2, y2), each, score in zip(found.boxes, found.classes, found.scores, strict=True)
            if each == number
        ]
        write_whole(folder / f"comp4_det_{subset}_{name}.txt", functools.partial(Path.write_text, data="".join(lines)))
