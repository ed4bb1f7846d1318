"""The benchmarks' parts, scores and submission files, by name."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.det_data import open_det
from keras_resnet.detection.data.detection_sets import open_coco_sets
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.data.tfds_data import open_tfds_detection
from keras_resnet.detection.data.voc_data import open_voc
from keras_resnet.detection.scoring.average_precision import DET, VOC2007, VOC2010, average_precisions, mean_ap
from keras_resnet.detection.scoring.coco_scoring import coco_scores
from keras_resnet.detection.scoring.submission import write_coco, write_det, write_voc

COCO_COLUMNS = ("AP50", "AP", "AP75", "AP_small", "AP_medium", "AP_large")


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark scores.

    Fields:
        columns: names of its scores, from 0 to 1; the first is the one the paper tells detectors apart by.
        score: (data, image to detections) to scores by name, over all photos of the data.
        write: (folder, data, its part, image to detections): the files its server takes.
        open: (folder or name, where TFDS data sets are, part) to the photos of that part.
        part: the one it is usually scored on.
    """

    columns: tuple[str, ...]
    score: Callable[[DetectionData, Mapping], dict[str, float]]
    write: Callable[[Path, DetectionData, str, Mapping], None]
    open: Callable[[str, Path | None, str], DetectionData]
    part: str


def _coco(data: DetectionData, found: Mapping[int, Detections]) -> dict[str, float]:
    assert data.dataset is not None
    scores = coco_scores(data.dataset, found, list(data.categories))
    return {name: scores[name] for name in COCO_COLUMNS}


def _by_rule(rule) -> Callable:
    def score(data, found):
        return {"mAP": mean_ap(average_precisions({p.id: p.objects for p in data.photos}, found, rule))}

    return score


def _write_coco(folder, data, part, found) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = data.name.replace("instances_", "").replace("image_info_", "")
    write_coco(folder / f"detections_{name}_results.json", found, list(data.categories))


def _write_voc(folder, data, part, found) -> None:
    write_voc(folder, found, list(data.classes), part)


def _write_det(folder, data, part, found) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_det(folder / f"detections_{part}.txt", found, {photo.id: photo.index for photo in data.photos})


def _open_coco(data: str, data_dir: Path | None, part: str) -> DetectionData:
    return open_coco_sets(data, data_dir).part(part)


def _open_voc(year: str) -> Callable:
    def part_of(data, data_dir, part):
        if data == "voc":
            split = {"val": "validation", "trainval": "train+validation"}.get(part, part)
            return open_tfds_detection(f"voc/{year}", split, data_dir)
        return open_voc(Path(os.path.expanduser(data)), ((f"VOC{year}", part),))

    return part_of


def _open_det(data: str, data_dir: Path | None, part: str) -> DetectionData:
    folder = Path(os.path.expanduser(data))
    return open_det(folder, folder / f"{part}.txt", folder / "classes.txt")


BENCHMARKS = {
    "coco": Benchmark(COCO_COLUMNS, _coco, _write_coco, _open_coco, "val"),
    "voc2007": Benchmark(("mAP",), _by_rule(VOC2007), _write_voc, _open_voc("2007"), "test"),
    "voc2012": Benchmark(("mAP",), _by_rule(VOC2010), _write_voc, _open_voc("2012"), "val"),
    "det": Benchmark(("mAP",), _by_rule(DET), _write_det, _open_det, "val2"),
}
