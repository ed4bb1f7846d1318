"""The benchmarks by name: how each opens its parts, scores detections and writes submission files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.detection.boxes import DetectionsByPhoto
from keras_resnet.detection.data.detection_sets import (
    open_coco_sets,
    open_det_part,
    open_voc_parts,
    with_validation,
)
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.average_precision import DET, VOC2007, VOC2010, Rule, average_precisions
from keras_resnet.detection.scoring.coco_scoring import coco_scores
from keras_resnet.detection.scoring.submission import write_coco, write_det, write_voc
from keras_resnet.detection.training.protocols import BenchmarkName

COCO_COLUMNS = ("AP50", "AP", "AP75", "AP_small", "AP_medium", "AP_large")

Score = Callable[[DetectionData, DetectionsByPhoto], dict[str, float]]
Open = Callable[[str, Path | None, str], DetectionData]


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark scores.

    Fields:
        columns: names of its scores, from 0 to 1; the first is the one by which the paper compares detectors.
        score: from the data and the detections by photo id to scores by name, over all photos of the data.
        write: writes the files that the benchmark's server takes: folder, data, part, detections by photo id.
        open: from a folder or name, the folder of TFDS' data sets, and a part, to the photos of that part.
        part: the part it is usually scored on.
    """

    columns: tuple[str, ...]
    score: Score
    write: Callable[[Path, DetectionData, str, DetectionsByPhoto], None]
    open: Open
    part: str


def _coco(data: DetectionData, detections: DetectionsByPhoto) -> dict[str, float]:
    assert data.dataset is not None
    scores = coco_scores(data.dataset, detections, data.categories)
    return {name: scores[name] for name in COCO_COLUMNS}


def _by_rule(rule: Rule) -> Score:
    def score(data: DetectionData, detections: DetectionsByPhoto) -> dict[str, float]:
        truths = {photo.id: photo.objects for photo in data.photos}
        return {"mAP": float(np.mean(list(average_precisions(truths, detections, rule).values())))}

    return score


def _open_coco(data: str, data_dir: Path | None, part: str) -> DetectionData:
    sets = open_coco_sets(data, data_dir)
    return (with_validation(sets) if part == "val" else sets).part(part)  # as the run of the detector held it out


def _open_voc(year: str) -> Open:
    return lambda data, data_dir, part: open_voc_parts(data, data_dir, ((year, part),))


BENCHMARKS: dict[BenchmarkName, Benchmark] = {
    "coco": Benchmark(COCO_COLUMNS, _coco, write_coco, _open_coco, "val"),
    "voc2007": Benchmark(("mAP",), _by_rule(VOC2007), write_voc, _open_voc("VOC2007"), "test"),
    "voc2012": Benchmark(("mAP",), _by_rule(VOC2010), write_voc, _open_voc("VOC2012"), "val"),
    "det": Benchmark(("mAP",), _by_rule(DET), write_det, open_det_part, "val2"),
}
