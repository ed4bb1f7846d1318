"""Opening detection data: formats of boxes by their layout, VOC's and DET's folders, TFDS, and the demo set."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from keras_resnet.data.dividing import BY_SHARE
from keras_resnet.detection.data import rendered_scenes
from keras_resnet.detection.data.annotation_checks import check_reachable
from keras_resnet.detection.data.box_table import find_box_tables, open_table_parts
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.coco_layouts import SHOWN, coco_files
from keras_resnet.detection.data.det_data import open_det
from keras_resnet.detection.data.photo_files import content_hashes
from keras_resnet.detection.data.photos import DetectionData, join
from keras_resnet.detection.data.tfds_data import open_tfds_detection
from keras_resnet.detection.data.voc_data import open_voc
from keras_resnet.detection.data.voc_sets import TEST_SETS, TRAINING_SETS, Part, TestSet, TrainingSet
from keras_resnet.detection.data.yolo_data import find_yolo, open_yolo_parts
from keras_resnet.errors import InputError

TFDS_SPLITS = {"val": "validation", "trainval": "train+validation"}  # other parts have the same name there


@dataclass(frozen=True)
class DetectionSets:
    """The parts of a data set, each opened when it is first used; a part that does not exist is None.

    Fields:
        name: of the data set.
        openers: functions that open the parts that exist, by ``"train"``, ``"val"`` and ``"test"``.
    """

    name: str
    openers: Mapping[str, Callable[[], DetectionData]]

    @cached_property
    def train(self) -> DetectionData | None:
        """The training photos."""
        return self._opened("train")

    @cached_property
    def validation(self) -> DetectionData | None:
        """The validation photos."""
        return self._opened("val")

    @cached_property
    def test(self) -> DetectionData | None:
        """The test photos."""
        return self._opened("test")

    def _opened(self, part: str) -> DetectionData | None:
        return self.openers[part]() if part in self.openers else None

    def part(self, name: str) -> DetectionData:
        """``"train"``, ``"val"`` or ``"test"``; raises :class:`InputError` if it does not exist."""
        if name not in self.openers:
            raise InputError(f"{self.name} has no {name} part.")
        return getattr(self, {"val": "validation"}.get(name, name))


def open_coco_sets(data: str, data_dir: Path | None = None) -> DetectionSets:
    """``"demo"``, ``"demo-small"``, a data set of TFDS such as ``"coco/2014"``, or boxes in any of these formats.

    COCO's: one or more of ``train.json`` and ``train/``, ``val.json`` and ``val/``, ``test.json`` and ``test/``; COCO
    as its archives unpack; ``instances.json`` and ``images/``; or an export of CVAT, Label Studio or Roboflow, see
    ``coco_layouts``. YOLO's: a folder with ``data.yaml``, or that file, see ``yolo_data``. A CSV file of boxes, or a
    folder with ``boxes.csv``, see ``box_table``.

    Raises:
        InputError: the folder has none of these, or is not readable.
    """
    if data in rendered_scenes.SETS:
        return DetectionSets(
            data, {part: partial(rendered_scenes.open_demo, part, data) for part in rendered_scenes.SIZES}
        )
    folder = Path(os.path.expanduser(data))
    if data.startswith("coco/") and not os.path.isdir(folder):
        splits = {"train": "train", "val": "validation"}
        return DetectionSets(
            data, {part: partial(open_tfds_detection, data, split, data_dir) for part, split in splits.items()}
        )
    openers = _own_parts(folder)
    if not openers:
        check_reachable(folder / "train.json")
        raise InputError(
            f"{folder} holds no detection data in COCO's layout, one of {SHOWN}; nor a YOLO data.yaml, nor boxes.csv."
        )
    return DetectionSets(folder.stem if os.path.isfile(folder) else folder.name, openers)


def _own_parts(place: Path) -> dict[str, Callable[[], DetectionData]]:
    """Functions that open the parts in a folder or file of any format of boxes; empty if it is of none."""
    files = coco_files(place)
    if files:
        return {part: partial(open_coco, *pair) for part, pair in files.items()}
    yolo = find_yolo(place)
    if yolo is not None:
        return open_yolo_parts(yolo)
    tables = find_box_tables(place)
    return open_table_parts(tables) if tables else {}


def found_detection_sets(data: str) -> DetectionSets | None:
    """What :func:`open_coco_sets` or :func:`open_voc_sets` make of a folder or file; None if it has no boxes."""
    place = Path(os.path.expanduser(data))
    openers = _own_parts(place)
    if openers:
        return DetectionSets(place.stem if os.path.isfile(place) else place.name, openers)
    if os.path.isdir(place / "VOC2007" / "Annotations"):
        return open_voc_sets(data, None, "07", "07")
    return None


def with_validation(sets: DetectionSets) -> DetectionSets:
    """``sets`` with a validation part: its own, or else some of the training photos, which are no longer trained on.

    They are chosen by what their files hold, see :class:`~keras_resnet.data.dividing.Division`, class by class; a
    photo counts for the rarest class that it shows.

    Raises:
        InputError: no photo with an object can be held out, because no class has two different ones.
    """
    if "val" in sets.openers or "train" not in sets.openers:
        return sets
    whole = sets.part("train")
    if not whole.has_objects:
        return sets  # training refuses it by what it lacks
    counts = np.bincount(
        np.concatenate([photo.objects.classes for photo in whole.photos]), minlength=len(whole.classes)
    )
    rarest = [
        min(photo.objects.classes.tolist(), key=lambda number: counts[number], default=len(whole.classes))
        for photo in whole.photos
    ]
    held_out = BY_SHARE.held_out(np.array(rarest), content_hashes(whole), sets.name)
    parts = {
        part: replace(whole.select(np.flatnonzero(chosen).tolist()), name=name)
        for part, chosen, name in zip(("train", "val"), (~held_out, held_out), BY_SHARE.names(sets.name), strict=True)
    }
    if not parts["val"].has_objects:
        raise InputError(
            f"{sets.name} has too few photos to hold some out for validation: annotate two different ones of each "
            "class or more, or give a validation part."
        )
    return DetectionSets(sets.name, {part: partial(parts.__getitem__, part) for part in parts})


def open_voc_parts(data: str, data_dir: Path | None, parts: tuple[Part, ...]) -> DetectionData:
    """Parts of VOC, such as ``(("VOC2007", "test"),)``.

    Args:
        data: the folder that holds ``VOC2007`` and ``VOC2012``, or ``"voc"`` for TFDS.
        data_dir: where TFDS' data sets are prepared.
        parts: folders of years, and lists.
    """
    if data != "voc":
        return open_voc(Path(os.path.expanduser(data)), parts)
    return _joined(
        [open_tfds_detection(f"voc/{year[3:]}", TFDS_SPLITS.get(subset, subset), data_dir) for year, subset in parts]
    )


def open_voc_sets(data: str, data_dir: Path | None, training_set: TrainingSet, test_set: TestSet) -> DetectionSets:
    """The parts of VOC to train and to validate on.

    VOC 2012's test part has no public objects: its ``val`` part takes its place.

    Args:
        data: see :func:`open_voc_parts`.
        data_dir: see :func:`open_voc_parts`.
        training_set: a key of ``voc_sets.TRAINING_SETS``.
        test_set: a key of ``voc_sets.TEST_SETS``.
    """
    parts = {"train": TRAINING_SETS[training_set], "val": TEST_SETS[test_set]}
    return DetectionSets(
        "voc", {name: partial(open_voc_parts, data, data_dir, lists) for name, lists in parts.items() if lists}
    )


def open_det_part(data: str, data_dir: Path | None, part: str) -> DetectionData:
    """The photos of ``<part>.txt`` in a folder of ImageNet DET, see :func:`open_det_sets`; TFDS does not have it."""
    folder = Path(os.path.expanduser(data))
    return open_det(folder, folder / f"{part}.txt", folder / "classes.txt")


def open_det_sets(data: str) -> DetectionSets:
    """ImageNet DET in the folder ``data``: ``val1.txt`` to train on, with ``train.txt`` if it exists, and ``val2.txt``.

    The lists and ``classes.txt`` (see :func:`open_det`) lie beside ``Data/`` and ``Annotations/``, or ``ILSVRC/``.
    """
    parts = ["val1", *(["train"] if os.path.isfile(os.path.join(os.path.expanduser(data), "train.txt")) else [])]
    return DetectionSets(
        "det",
        {
            "train": lambda: _joined([open_det_part(data, None, part) for part in parts]),
            "val": partial(open_det_part, data, None, "val2"),
        },
    )


def _joined(parts: list[DetectionData]) -> DetectionData:
    return parts[0] if len(parts) == 1 else join(parts)
