from .average_precision import (
    DET as DET,
    VOC2007 as VOC2007,
    VOC2010 as VOC2010,
    Rule as Rule,
    average_precisions as average_precisions,
)
from .benchmarks import BENCHMARKS as BENCHMARKS, Benchmark as Benchmark
from .bootstrap import Matches as Matches, interval as interval
from .coco_scoring import coco_scores as coco_scores
from .detection_report import DetectionReport as DetectionReport
from .submission import write_coco as write_coco, write_det as write_det, write_voc as write_voc
