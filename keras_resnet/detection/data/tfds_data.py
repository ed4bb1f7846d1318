"""TFDS' ``coco`` and ``voc``, prepared on disk, whose records are read by position."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.data import decoding
from keras_resnet.data.cache import cache_folder, cached
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.reading import Reader
from keras_resnet.data.records import record_split
from keras_resnet.data.splits import Split
from keras_resnet.data.tfds_source import open_builder
from keras_resnet.detection.boxes import Truths
from keras_resnet.detection.data.annotation_checks import BoxRepairs
from keras_resnet.detection.data.coco_data import coco_entries
from keras_resnet.detection.data.photos import DetectionData, Photo, PhotoBytes
from keras_resnet.detection.data.voc_data import INCLUSIVE_FROM_1
from keras_resnet.errors import InputError

COCO_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # ids from 1 to 90 that COCO does not use; TFDS counts the others
COCO_IDS = tuple(number for number in range(1, 91) if number not in COCO_GAPS)
IGNORED_FLAGS = ("is_crowd", "is_difficult")
SHIFTS = {"voc": INCLUSIVE_FROM_1}  # is added to the boxes of the data sets whose corners TFDS keeps as VOC counts them
DECIMALS = 3  # of a pixel that float32 shares of a photo's sides keep

Content = dict[str, Any]  # of a record, without its image


@dataclass(frozen=True)
class RecordBytes(PhotoBytes):
    """Reads the photos in the records of a TFDS data set."""

    records: Reader

    def __call__(self, position: int) -> bytes:
        from tensorflow.train import Example

        return Example.FromString(self.records.fetch(position)).features.feature["image"].bytes_list.value[0]


def open_tfds_detection(name: str, split: str, data_dir: Path | None = None) -> DetectionData:
    """The photos and objects of a prepared TFDS data set, such as ``"coco/2017"`` or ``"voc/2007"``.

    All records are read once for their objects and sizes, which are then cached. Crowd regions and difficult objects
    are ignored objects. VOC's boxes are those that :func:`~keras_resnet.detection.open_voc` gives.

    Args:
        name: of the data set.
        split: the data set's name of the part, or several names joined by ``+``.
        data_dir: where it is prepared; TFDS' default if None.

    Raises:
        InputError: the data set is not prepared, has no such part, or no objects with boxes.
    """
    builder = open_builder(name, data_dir, "--data demo, or a folder in COCO's or VOC's layout")
    features, splits = builder.info.features, builder.info.splits
    if "objects" not in features or "bbox" not in features["objects"]:
        raise InputError(
            f"{name} has no objects with boxes: choose a detection data set, such as coco/2017 or voc/2007."
        )
    for part in split.split("+"):
        if part not in splits:
            raise InputError(f"{name} has no part {part!r}: choose from {', '.join(splits)}.")
    shards = [Path(path) for part in split.split("+") for path in splits[part].filepaths]
    records = record_split(f"{name} {split}", shards, lambda record: (record, 0))
    assert records.reader is not None
    classes = tuple(features["objects"]["label"].names)
    categories = COCO_IDS if len(classes) == len(COCO_IDS) else tuple(range(1, len(classes) + 1))
    repairs = BoxRepairs(Path(name))
    photos: list[Photo] = []
    entries: list[dict[str, Any]] = []
    for number, content in enumerate(_contents(records, shards, features)):
        truths = _truths(content, SHIFTS.get(builder.name))
        photos.append(_photo(content, number, truths, repairs))
        entries += coco_entries(photos[-1].id, truths, categories, content["objects"].get("area"))
    repairs.report()
    dataset = {
        "images": [{"id": p.id, "file_name": str(p.file), "height": p.height, "width": p.width} for p in photos],
        "categories": [{"id": i, "name": n} for i, n in zip(categories, classes, strict=True)],
        "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
    }
    reader = Reader(records.name, len(photos), RecordBytes(records.reader))
    return DetectionData(records.name, classes, tuple(photos), categories, dataset, in_records=True, reader=reader)


def _contents(records: Split, shards: Sequence[Path], features: Any) -> list[Content]:
    """What each record holds besides its image, and the image's sides; cached."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from keras_resnet.data.parallel import parallel_map

    def content(record: Any) -> Content:
        example = features.deserialize_example(record, decoders={"image": tfds.decode.SkipDecoding()})
        wanted = ("bbox", "label", "area", *IGNORED_FLAGS)
        objects = {key: example["objects"][key] for key in wanted if key in example["objects"]}
        rest = {key: example[key] for key in ("image/id", "image/filename") if key in example}
        return rest | {"sides": decoding.stored_shape(example["image"])[:2], "objects": objects}

    def read() -> np.ndarray:
        contents = parallel_map(tf.data.TFRecordDataset(list(map(str, shards))), content)
        text = json.dumps([_plain(record) for record in contents.as_numpy_iterator()])
        return np.frombuffer(text.encode(), np.uint8)

    name = f"tfds/{records.fingerprint}"
    with one_at_a_time(cache_folder() / name, f"reading the objects of {records.name}"):
        return json.loads(cached(name, read, _contents, _plain).tobytes())


def _plain(value: Any) -> Any:
    """``value`` as JSON has it: objects, lists, numbers and text."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.decode() if isinstance(value, bytes) else np.asarray(value).tolist()


def _truths(content: Content, shift: tuple[int, ...] | None) -> Truths:
    """The objects as stored, but for the shift; TFDS has boxes ``ymin, xmin, ymax, xmax`` as shares of the sides."""
    objects, (height, width) = content["objects"], content["sides"]
    boxes = np.array(objects["bbox"], np.float64).reshape(-1, 4)[:, [1, 0, 3, 2]] * [width, height, width, height]
    if shift is not None:
        boxes = np.round(boxes, DECIMALS) + shift  # rounded, so that 1 becomes 0 and not a little less
    ignored = next((objects[key] for key in IGNORED_FLAGS if key in objects), np.zeros(len(boxes)))
    return Truths(boxes, objects["label"], ignored)


def _photo(content: Content, number: int, truths: Truths, repairs: BoxRepairs) -> Photo:
    height, width = content["sides"]
    image = int(content["image/id"]) if "image/id" in content else number
    boxes, kept = repairs.clip(f"image {image}", truths.boxes, height, width)
    file = Path(content.get("image/filename", str(image)))
    objects = replace(truths, boxes=boxes).select(kept)
    return Photo(image if "image/id" in content else file.stem, file, height, width, objects)
