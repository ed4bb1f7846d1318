from .backbone import Backbone as Backbone, from_network as from_network, vgg16 as vgg16
from .boxes import Detections as Detections, Truths as Truths, iou as iou
from .data import (
    DetectionData as DetectionData,
    DetectionSets as DetectionSets,
    Photo as Photo,
    check_unseen as check_unseen,
    content_hashes as content_hashes,
    decode_upright as decode_upright,
    detection_batches as detection_batches,
    open_coco as open_coco,
    open_coco_sets as open_coco_sets,
    open_det as open_det,
    open_det_sets as open_det_sets,
    open_tfds_detection as open_tfds_detection,
    open_voc as open_voc,
    open_voc_sets as open_voc_sets,
    with_validation as with_validation,
)
from .detector import (
    TOGETHER as TOGETHER,
    Detector as Detector,
    Options as Options,
    pyramid_scales as pyramid_scales,
)
from .detector_file import load_detector as load_detector
from .detector_specs import (
    ImageSize as ImageSize,
    Proposals as Proposals,
    RegionHead as RegionHead,
    TrainingView as TrainingView,
)
from .faster_rcnn import FasterRCNN as FasterRCNN
from .kerascv import from_kerascv as from_kerascv, kerascv_backbone as kerascv_backbone, to_kerascv as to_kerascv
from .onnx_file import run_onnx as run_onnx, save_onnx as save_onnx
from .roi_pooling import roi_align as roi_align, roi_max_pool as roi_max_pool
from .scoring import (
    BENCHMARKS as BENCHMARKS,
    DET as DET,
    VOC2007 as VOC2007,
    VOC2010 as VOC2010,
    Benchmark as Benchmark,
    DetectionReport as DetectionReport,
    Matches as Matches,
    Rule as Rule,
    average_precisions as average_precisions,
    coco_scores as coco_scores,
    interval as interval,
    write_coco as write_coco,
    write_det as write_det,
    write_voc as write_voc,
)
from .serving import (
    above_a_gap as above_a_gap,
    difference as difference,
    run_detector as run_detector,
    save_detector as save_detector,
)
from .training import (
    PROTOCOLS as PROTOCOLS,
    DetectionSettings as DetectionSettings,
    DetectionTask as DetectionTask,
    FinishedDetector as FinishedDetector,
    Protocol as Protocol,
    draw_detections as draw_detections,
    follow_photos as follow_photos,
    like_finished as like_finished,
    paper_settings as paper_settings,
    read_photos as read_photos,
    train as train,
)
