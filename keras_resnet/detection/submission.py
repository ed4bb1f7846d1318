"""Detections as the benchmarks' servers take them."""

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


def write_voc(
    folder: Path, detections: Mapping[Hashable, Detections], classes: list[str], subset: str = "test"
) -> None:
    """Write VOC's ``comp4_det_<subset>_<class>.txt`` of every class: image, score and inclusive 1-based corners."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(classes):
        lines = [
            f"{image} {score:.6f} {x1 + 1:.3f} {y1 + 1:.3f} {x2:.3f} {y2:.3f}\n"
            for image, found in detections.items()
            for (x1, y1, x2, y2), each, score in zip(found.boxes, found.classes, found.scores, strict=True)
            if each == number
        ]
        text = "".join(lines)
        write_whole(folder / f"comp4_det_{subset}_{name}.txt", lambda part, text=text: part.write_text(text))
