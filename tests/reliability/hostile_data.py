"""Photos, annotations, lists and record shards that are damaged or come from a stranger."""

import itertools
import random

from hostile_detection import coco_fields, coco_files, det_lists, table_fields, voc_fields, voc_files, yolo_fields
from hostile_folders import folder_photos, folder_shapes, label_lists, lost_photos
from hostile_records import record_manifests, record_shards
from watching import Case

PROMISE = "refused with a sentence that says which entry, or read; what is lost later is replaced"


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases, taken in turn from every kind until it is exhausted."""
    draw = random.Random(seed)
    kinds = [list(kind(draw)) for kind in KINDS]
    for kind in kinds:
        draw.shuffle(kind)
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*kinds))
    return [case for case in in_turn if case is not None][:count]


KINDS = (
    coco_fields, coco_files, voc_fields, voc_files, det_lists, folder_photos, folder_shapes, label_lists, lost_photos,
    record_manifests, record_shards, table_fields, yolo_fields,
)  # fmt: skip
