"""The benchmarks' scores and submission files, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keras_resnet.detection.average_precision import DET, VOC2007, VOC2010, average_precisions, mean_ap
from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.coco_scores import coco_scores
from keras_resnet.detection.photos import DetectionData
from keras_resnet.detection.submission import write_coco, write_voc


@dataclass(frozen=True)
class Benchmark:
    """How a benchmark scores.

    Fields:
        columns: names of its scores, from 0 to 1; the first is the one the paper tells detectors apart by.
        score: (data, image to detections) to scores by name, over all photos of the data.
        write: (folder, data, image to detections): the files its server takes.
    """

    columns: tuple[str, ...]
    score: Callable[[DetectionData, Mapping], dict[str, float]]
    write: Callable[[Path, DetectionData, Mapping], None]


def _coco(data: DetectionData, found: Mapping[int, Detections]) -> dict[str, float]:
    scores = coco_scores(data.dataset, found, list(data.categories))
    return {name: scores[name] for name in ("AP50", "AP", "AP75", "AP_small", "AP_medium", "AP_large")}


def _by_rule(rule) -> Callable:
    def score(data, found):
        return {"mAP": mean_ap(average_precisions({p.id: p.objects for p in data.photos}, found, rule))}

    return score


def _write_coco(folder, data, found) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_coco(Path(folder) / f"detections_{data.name}_results.json", found, list(data.categories))


def _write_voc(folder, data, found) -> None:
    write_voc(folder, found, list(data.classes))


BENCHMARKS = {
    "coco": Benchmark(("AP50", "AP", "AP75", "AP_small", "AP_medium", "AP_large"), _coco, _write_coco),
    "voc2007": Benchmark(("mAP",), _by_rule(VOC2007), _write_voc),
    "voc2012": Benchmark(("mAP",), _by_rule(VOC2010), _write_voc),
    "det": Benchmark(("mAP",), _by_rule(DET), _write_voc),
}
