"""Object detection: so far the benchmarks' scores and submission files.

``average_precisions(truths, detections, VOC2007)`` gives each class's AP by the rule of PASCAL VOC or ImageNet DET,
``coco_scores`` those of COCO by ``pycocotools``; ``write_coco`` and ``write_voc`` write what the benchmarks take.
"""

from keras_resnet.detection.average_precision import DET, VOC2007, VOC2010, Rule, average_precisions, mean_ap
from keras_resnet.detection.boxes import Detections, Truths, iou
from keras_resnet.detection.coco_scores import coco_scores
from keras_resnet.detection.submission import write_coco, write_voc

__all__ = [
    "DET",
    "VOC2007",
    "VOC2010",
    "Detections",
    "Rule",
    "Truths",
    "average_precisions",
    "coco_scores",
    "iou",
    "mean_ap",
    "write_coco",
    "write_voc",
]
