"""Object detection: so far the benchmarks' data, scores and submission files.

``open_coco`` and ``open_voc`` read photos and objects; ``roi_align`` takes the features of regions.

``average_precisions(truths, detections, VOC2007)`` gives each class's AP by the rule of PASCAL VOC or ImageNet DET,
``coco_scores`` those of COCO by ``pycocotools``; ``write_coco`` and ``write_voc`` write what the benchmarks take.
"""

from keras_resnet.detection.average_precision import DET, VOC2007, VOC2010, Rule, average_precisions, mean_ap
from keras_resnet.detection.boxes import Detections, Truths, iou
from keras_resnet.detection.coco_data import open_coco
from keras_resnet.detection.coco_scores import coco_scores
from keras_resnet.detection.photos import DetectionData, Photo
from keras_resnet.detection.roi_align import roi_align
from keras_resnet.detection.submission import write_coco, write_voc
from keras_resnet.detection.voc_data import open_voc

__all__ = [
    "DET",
    "VOC2007",
    "VOC2010",
    "DetectionData",
    "Detections",
    "Photo",
    "Rule",
    "Truths",
    "average_precisions",
    "coco_scores",
    "iou",
    "mean_ap",
    "open_coco",
    "open_voc",
    "roi_align",
    "write_coco",
    "write_voc",
]
