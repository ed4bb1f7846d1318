from .average_precision import (
    DET as DET,
    VOC2007 as VOC2007,
    VOC2010 as VOC2010,
    Rule as Rule,
    average_precisions as average_precisions,
    mean_ap as mean_ap,
)
from .backbone import Backbone as Backbone, from_network as from_network, vgg16 as vgg16
from .batches import detection_batches as detection_batches
from .benchmarks import BENCHMARKS as BENCHMARKS, Benchmark as Benchmark
from .bootstrap import Matches as Matches, interval as interval
from .boxes import Detections as Detections, Truths as Truths, iou as iou
from .coco_data import open_coco as open_coco
from .coco_scoring import coco_scores as coco_scores
from .det_data import open_det as open_det
from .detector import Detector as Detector, Options as Options, pyramid_scales as pyramid_scales
from .loading import load_detector as load_detector
from .model import FasterRCNN as FasterRCNN
from .photo_files import check_unseen as check_unseen, contents as contents, viewed as viewed
from .photo_reading import first as first, photos_of as photos_of
from .photos import DetectionData as DetectionData, Photo as Photo
from .protocols import PROTOCOLS as PROTOCOLS, Protocol as Protocol
from .reporter import drawn as drawn
from .roi_pooling import roi_align as roi_align, roi_max_pool as roi_max_pool
from .settings import DetectionSettings as DetectionSettings
from .sources import (
    DetectionSets as DetectionSets,
    open_coco_sets as open_coco_sets,
    open_det_sets as open_det_sets,
    open_voc_sets as open_voc_sets,
)
from .submission import write_coco as write_coco, write_det as write_det, write_voc as write_voc
from .task import DetectionTask as DetectionTask
from .tfds_data import open_tfds_detection as open_tfds_detection
from .training import train as train
from .voc_data import open_voc as open_voc
