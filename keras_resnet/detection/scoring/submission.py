"""Detections in the formats of the benchmarks' servers; each writer takes the arguments of ``Benchmark.write``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.files import write_text


def coco_results(detections: DetectionsByPhoto, categories: Sequence[int | str]) -> list[dict[str, Any]]:
    """COCO's result list: image, category, ``[x, y, width, height]`` and score of each detection.

    Args:
        detections: by image id, a whole number or a name.
        categories: the category id of each class, likewise.
    """
    return [
        {
            "image_id": _plain(image),
            "category_id": _plain(categories[number]),
            "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
            "score": float(score),
        }
        for image, detected in detections.items()
        for (x1, y1, x2, y2), number, score in detected
    ]


def write_coco(folder: Path, data: DetectionData, part: str, detections: DetectionsByPhoto) -> None:
    """Write COCO's result file, named after the annotation file of the data."""
    name = data.name.replace("instances_", "").replace("image_info_", "")
    results = coco_results(detections, data.categories)
    _write(folder / f"detections_{name}_results.json", json.dumps(results))


def write_det(folder: Path, data: DetectionData, part: str, detections: DetectionsByPhoto) -> None:
    """Write ImageNet DET's file: on each line image index, class id from 1, score, and inclusive corners from 0.

    The format is that of section 2.4 of the readme of ILSVRC2015's development kit.
    """
    indexes = {photo.id: photo.index for photo in data.photos}
    lines = [
        f"{indexes[image]} {number + 1} {score:.6f} {x1:.3f} {y1:.3f} {x2 - 1:.3f} {y2 - 1:.3f}\n"
        for image, detected in detections.items()
        for (x1, y1, x2, y2), number, score in detected
    ]
    _write(folder / f"detections_{part}.txt", "".join(lines))


def write_voc(folder: Path, data: DetectionData, part: str, detections: DetectionsByPhoto) -> None:
    """Write VOC's ``comp4_det_<part>_<class>.txt`` of every class: image, score and inclusive corners from 1.

    The format is that of section 4.3 of VOC2012's development kit.
    """
    for number, name in enumerate(data.classes):
        lines = [
            f"{image} {score:.6f} {x1 + 1:.3f} {y1 + 1:.3f} {x2:.3f} {y2:.3f}\n"
            for image, detected in detections.items()
            for (x1, y1, x2, y2), _, score in detected.select(detected.classes == number)
        ]
        _write(folder / f"comp4_det_{part}_{name}.txt", "".join(lines))


def _plain(identifier: Any) -> int | str:
    """A whole number of any type, or a name, as JSON has it."""
    return identifier if isinstance(identifier, str) else int(identifier)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
