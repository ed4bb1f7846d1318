"""Opening detection data: folders in the layouts of COCO, VOC and DET, data sets of TFDS, or the built-in demo set."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from keras_resnet.detection.data import rendered_scenes
from keras_resnet.detection.data.annotation_checks import check_reachable
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.det_data import open_det
from keras_resnet.detection.data.photos import DetectionData, join
from keras_resnet.detection.data.tfds_data import open_tfds_detection
from keras_resnet.detection.data.voc_data import open_voc
from keras_resnet.detection.data.voc_sets import TEST_SETS, TRAINING_SETS, Part, TestSet, TrainingSet
from keras_resnet.errors import InputError

COCO_LAYOUTS = {  # of each part, pairs of annotation file and image folder; the first that exists is taken
    "train": (
        ("train.json", "train"),
        ("annotations/instances_train2014.json", "train2014"),
        ("annotations/instances_train2017.json", "train2017"),
        ("instances.json", "images"),
    ),
    "val": (
        ("val.json", "val"),
        ("annotations/instances_val2014.json", "val2014"),
        ("annotations/instances_val2017.json", "val2017"),
    ),
    "test": (
        ("test.json", "test"),
        ("annotations/image_info_test-dev2015.json", "test2015"),
        ("annotations/image_info_test-dev2017.json", "test2017"),
    ),
}
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
    """``"demo"``, a data set of TFDS such as ``"coco/2014"``, or a folder in COCO's layout.

    A folder holds one or more of ``train.json`` and ``train/``, ``val.json`` and ``val/``, ``test.json`` and ``test/``;
    or COCO as its archives unpack, with ``annotations/instances_train2014.json`` and ``train2014/`` (or 2017); or, for
    training, ``instances.json`` and ``images/``.

    Raises:
        InputError: the folder has none of these, or is not readable.
    """
    if data == "demo":
        return DetectionSets("demo", {part: partial(rendered_scenes.open_demo, part) for part in rendered_scenes.SIZES})
    folder = Path(os.path.expanduser(data))
    if data.startswith("coco/") and not os.path.isdir(folder):
        splits = {"train": "train", "val": "validation"}
        return DetectionSets(
            data, {part: partial(open_tfds_detection, data, split, data_dir) for part, split in splits.items()}
        )
    openers: dict[str, Callable[[], DetectionData]] = {}
    for part, layouts in COCO_LAYOUTS.items():
        existing = [(folder / file, folder / images) for file, images in layouts if os.path.lexists(folder / file)]
        if existing:
            openers[part] = partial(open_coco, *existing[0])
    if not openers:
        check_reachable(folder / COCO_LAYOUTS["train"][0][0])
        layouts_shown = ", ".join(f"{file} with {images}/" for file, images in COCO_LAYOUTS["train"])
        raise InputError(f"{folder} holds no detection data in COCO's layout, one of {layouts_shown}.")
    return DetectionSets(folder.name, openers)


def found_detection_sets(data: str) -> DetectionSets | None:
    """What :func:`open_coco_sets` or :func:`open_voc_sets` make of a folder; None if it is of neither layout."""
    folder = Path(os.path.expanduser(data))
    files = (file for layouts in COCO_LAYOUTS.values() for file, _ in layouts)
    if any(os.path.isfile(folder / file) for file in files):
        return open_coco_sets(data)
    if os.path.isdir(folder / "VOC2007" / "Annotations"):
        return open_voc_sets(data, None, "07", "07")
    return None


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
