from .batches import detection_batches as detection_batches
from .coco_data import open_coco as open_coco
from .det_data import open_det as open_det
from .detection_sets import (
    DetectionSets as DetectionSets,
    found_detection_sets as found_detection_sets,
    open_coco_sets as open_coco_sets,
    open_det_sets as open_det_sets,
    open_voc_sets as open_voc_sets,
    with_validation as with_validation,
)
from .photo_files import (
    check_unseen as check_unseen,
    content_hashes as content_hashes,
    decode_upright as decode_upright,
)
from .photos import DetectionData as DetectionData, Photo as Photo
from .tfds_data import open_tfds_detection as open_tfds_detection
from .voc_data import open_voc as open_voc
