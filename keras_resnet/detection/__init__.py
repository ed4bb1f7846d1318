"""Object detection: Faster R-CNN on this package's networks, with everything of Table 9.

``FasterRCNN(network, classes)`` is a ``keras.Model`` for ``fit``; ``detection_batches`` makes its batches, and
``train(settings, ...)`` runs a recipe. ``Detector([model], Options(refine=True))`` finds objects in photos.

``open_coco``, ``open_voc``, ``open_det`` and ``open_tfds_detection`` read photos and objects. ``BENCHMARKS`` scores by
each benchmark's rule and writes its submission files.
"""

from keras_resnet.detection.average_precision import DET, VOC2007, VOC2010, Rule, average_precisions, mean_ap
from keras_resnet.detection.backbone import Backbone, from_network, vgg16
from keras_resnet.detection.batches import detection_batches
from keras_resnet.detection.benchmarks import BENCHMARKS, Benchmark
from keras_resnet.detection.bootstrap import Matches, interval
from keras_resnet.detection.boxes import Detections, Truths, iou
from keras_resnet.detection.coco_data import open_coco
from keras_resnet.detection.coco_scores import coco_scores
from keras_resnet.detection.det_data import open_det
from keras_resnet.detection.detector import Detector, Options, pyramid_scales
from keras_resnet.detection.experiment import DetectionExperiment, drawn, first, photos_of
from keras_resnet.detection.loading import load_detector
from keras_resnet.detection.model import FasterRCNN
from keras_resnet.detection.photo_files import check_unseen, contents, viewed
from keras_resnet.detection.photos import DetectionData, Photo
from keras_resnet.detection.roi_pooling import roi_align, roi_max_pool
from keras_resnet.detection.settings import DetectionSettings
from keras_resnet.detection.sources import DetectionSets, open_coco_sets, open_det_sets, open_voc_sets
from keras_resnet.detection.submission import write_coco, write_det, write_voc
from keras_resnet.detection.tfds_data import open_tfds_detection
from keras_resnet.detection.training import PROTOCOLS, Protocol, train
from keras_resnet.detection.voc_data import open_voc

__all__ = [
    "BENCHMARKS",
    "DET",
    "PROTOCOLS",
    "VOC2007",
    "VOC2010",
    "Backbone",
    "Benchmark",
    "DetectionData",
    "DetectionExperiment",
    "DetectionSets",
    "DetectionSettings",
    "Detections",
    "Detector",
    "FasterRCNN",
    "Matches",
    "Options",
    "Photo",
    "Protocol",
    "Rule",
    "Truths",
    "average_precisions",
    "check_unseen",
    "coco_scores",
    "contents",
    "detection_batches",
    "drawn",
    "first",
    "from_network",
    "interval",
    "iou",
    "load_detector",
    "mean_ap",
    "open_coco",
    "open_coco_sets",
    "open_det",
    "open_det_sets",
    "open_tfds_detection",
    "open_voc",
    "open_voc_sets",
    "photos_of",
    "pyramid_scales",
    "roi_align",
    "roi_max_pool",
    "train",
    "vgg16",
    "viewed",
    "write_coco",
    "write_det",
    "write_voc",
]
