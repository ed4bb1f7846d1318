"""TFDS' ``coco`` and ``voc``, prepared on disk: read by position like everything else."""

import json
from pathlib import Path

import numpy as np

from keras_resnet import data
from keras_resnet.data.cache import cache_folder, cached
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.records import record_split
from keras_resnet.data.tfds_source import open_builder
from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.data.photos import DetectionData, Mending, Photo
from keras_resnet.errors import InputError

COCO_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # of the category ids 1 to 90, which TFDS numbers from 0
COCO_IDS = tuple(n for n in range(1, 91) if n not in COCO_GAPS)
IGNORED = ("is_crowd", "is_difficult")


def open_tfds_detection(name: str, split: str, data_dir: Path | None = None) -> DetectionData:
    """Photos and objects of a prepared TFDS data set, such as ``"coco/2017"`` or ``"voc/2007"``.

    All records are gone through once for their objects and sizes, which are kept in the cache folder. Crowd
    regions and difficult objects are ignored.

    Args:
        name: of the data set.
        split: its own name of the part; several joined by ``+``.
        data_dir: where it is prepared; TFDS' own default if None.

    Raises:
        InputError: it is not there, has no such part, or no objects with boxes.
    """
    import tensorflow as tf

    builder = open_builder(name, data_dir, "--data demo, or a folder in COCO's or VOC's layout")
    features, splits = builder.info.features, builder.info.splits
    if "objects" not in features or "bbox" not in features["objects"]:
        raise InputError(
            f"{name} has no objects with boxes: choose a detection data set, such as coco/2017 or voc/2007."
        )
    for part in split.split("+"):
        if part not in splits:
            raise InputError(f"{name} has no part {part!r}: choose from {', '.join(splits)}.")
    import tensorflow_datasets as tfds

    decoders = {"image": tfds.decode.SkipDecoding()}

    def parse(record):
        found = features.deserialize_example(record, decoders=decoders)
        return found["image"], tf.constant(0)

    shards = [Path(path) for part in split.split("+") for path in splits[part].filepaths]
    records = record_split(f"{name} {split}", shards, parse)
    classes = tuple(features["objects"]["label"].names)
    categories = COCO_IDS if len(classes) == len(COCO_IDS) else tuple(range(1, len(classes) + 1))
    mending = Mending(Path(name))
    photos: list[Photo] = []
    annotations: list[dict] = []
    for number, found in enumerate(_contents(records, shards, features, decoders)):
        photos.append(_photo(found, number, mending))
        annotations += _annotations(found["objects"], photos[-1], categories, len(annotations))
    mending.report()
    dataset = {
        "images": [{"id": p.id, "file_name": str(p.file), "height": p.height, "width": p.width} for p in photos],
        "categories": [{"id": i, "name": n} for i, n in zip(categories, classes, strict=True)],
        "annotations": annotations,
    }
    return DetectionData(
        records.name,
        classes,
        tuple(photos),
        categories,
        dataset,
        lambda position: records.read(position)[0],
        reader=records.reader,
    )


def _contents(records, shards, features, decoders) -> list[dict]:
    """What each record holds besides its image, and the image's sides; kept in the cache folder."""
    import tensorflow as tf

    from keras_resnet.data.parallel import parallel_map

    def content(record):
        found = features.deserialize_example(record, decoders=decoders)
        objects = {key: found["objects"][key] for key in ("bbox", "label", "area", *IGNORED) if key in found["objects"]}
        rest = {key: found[key] for key in ("image/id", "image/filename") if key in found}
        return rest | {"sides": data.augment.image_shape(found["image"])[:2], "objects": objects}

    def read():
        stored = parallel_map(tf.data.TFRecordDataset(list(map(str, shards))), content)
        text = json.dumps([_plain(found) for found in stored.as_numpy_iterator()])
        return np.frombuffer(text.encode(), np.uint8)

    name = f"tfds/{records.fingerprint}"
    with one_at_a_time(cache_folder() / name, f"reading the objects of {records.name}"):
        return json.loads(cached(name, read, _contents, _plain).tobytes())


def _plain(found):
    """As JSON has it: lists, numbers and text."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    return found.decode() if isinstance(found, bytes) else np.asarray(found).tolist()


def _photo(found, number, mending) -> Photo:
    height, width = found["sides"]
    image = int(found["image/id"]) if "image/id" in found else number
    objects = found["objects"]
    boxes, kept = mending.mend(f"image {image}", _corners(objects, height, width), height, width)
    flags = _ignored(objects, len(kept))
    name = found.get("image/filename", str(image))
    truths = Truths(boxes[kept], np.array(objects["label"], np.int64)[kept], flags[kept])
    return Photo(image if "image/id" in found else Path(name).stem, Path(name), height, width, truths)


def _corners(objects, height, width) -> np.ndarray:
    """TFDS has ``ymin, xmin, ymax, xmax`` as shares of the sides."""
    return np.array(objects["bbox"], np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]] * [width, height, width, height]


def _ignored(objects, count) -> np.ndarray:
    flags = [np.array(objects[key], bool) for key in IGNORED if key in objects]
    return flags[0] if flags else np.zeros(count, bool)


def _annotations(objects, photo, categories, count) -> list[dict]:
    """As COCO's file has them."""
    found: list[dict] = []
    boxes = _corners(objects, photo.height, photo.width)
    areas = objects.get("area", (boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
    crowd = _ignored(objects, len(boxes))
    for (x1, y1, x2, y2), label, area, flag in zip(boxes.tolist(), objects["label"], areas, crowd, strict=True):
        entry = {"id": count + len(found) + 1, "image_id": photo.id, "category_id": categories[int(label)]}
        found.append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": float(area), "iscrowd": int(flag)})
    return found
