"""Where detection data comes from: folders in COCO's layout, VOC's, TFDS, or the built-in demo set."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from keras_resnet.detection.data import rendered_scenes
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.det_data import open_det
from keras_resnet.detection.data.photos import DetectionData, check_reachable, join
from keras_resnet.detection.data.tfds_data import open_tfds_detection
from keras_resnet.detection.data.voc_data import SETS, open_voc
from keras_resnet.errors import InputError

COCO_LAYOUTS = {  # part: pairs of annotation file and folder of images, the first that is there
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
VOC_TESTS = {"07": ("VOC2007", "test"), "12": ("VOC2012", "val")}


@dataclass(frozen=True)
class DetectionSets:
    """The parts of a data set, each opened when it is first asked for; a part that does not exist is None.

    Fields:
        name: of the data set.
        open: how each part that there is, of ``train``, ``val`` and ``test``, is opened.
    """

    name: str
    open: Mapping[str, Callable[[], DetectionData]]

    @cached_property
    def train(self) -> DetectionData | None:
        return self._opened("train")

    @cached_property
    def validation(self) -> DetectionData | None:
        return self._opened("val")

    @cached_property
    def test(self) -> DetectionData | None:
        return self._opened("test")

    def _opened(self, part: str) -> DetectionData | None:
        return self.open[part]() if part in self.open else None

    def part(self, name: str) -> DetectionData:
        """``"train"``, ``"val"`` or ``"test"``; raises :class:`InputError` for one that there is not."""
        if name not in self.open:
            raise InputError(f"{self.name} has no {name} part.")
        return getattr(self, {"val": "validation"}.get(name, name))


def open_coco_sets(data: str, data_dir: Path | None = None) -> DetectionSets:
    """``"demo"``, a TFDS name as ``"coco/2014"``, or a folder in COCO's layout.

    A folder holds one or more of ``train.json`` and ``train/``, ``val.json`` and ``val/``, ``test.json`` and ``test/``;
    or COCO as its archives unpack, with ``annotations/instances_train2014.json`` and ``train2014/`` (or 2017); or
    ``instances.json`` and ``images/``, to train on.

    Raises:
        InputError: nothing of the kind is there, or it cannot be read.
    """
    if data == "demo":
        return DetectionSets("demo", {part: partial(rendered_scenes.open_demo, part) for part in rendered_scenes.SIZES})
    folder = Path(os.path.expanduser(data))
    if data.startswith("coco/") and not os.path.isdir(folder):
        parts = {"train": "train", "val": "validation"}
        return DetectionSets(data, {p: partial(open_tfds_detection, data, own, data_dir) for p, own in parts.items()})
    opened: dict[str, Callable[[], DetectionData]] = {}
    for part, layouts in COCO_LAYOUTS.items():
        there = [(folder / file, folder / images) for file, images in layouts if os.path.lexists(folder / file)]
        if there:
            opened[part] = partial(open_coco, *there[0])
    if not opened:
        check_reachable(folder / COCO_LAYOUTS["train"][0][0])
        listed = ", ".join(f"{file} with {images}/" for file, images in COCO_LAYOUTS["train"])
        raise InputError(f"{folder} holds no detection data in COCO's layout, one of {listed}.")
    return DetectionSets(folder.name, opened)


def open_voc_sets(data: str, data_dir: Path | None, chosen: str, tested: str) -> DetectionSets:
    """VOC: ``chosen`` of ``SETS`` to train on, ``tested`` of ``"07"`` and ``"12"``, or ``"none"`` to validate on none.

    ``data`` is the folder that holds ``VOC2007`` and ``VOC2012``, or ``"voc"`` for TFDS. VOC 2012's test part has no
    public objects: its ``val`` part stands for it.
    """
    splits = {"trainval": "train+validation", "val": "validation"}

    def opened(*lists: tuple[str, str]) -> DetectionData:
        if data != "voc":
            return open_voc(Path(data), lists)
        return join([open_tfds_detection(f"voc/{year[3:]}", splits.get(part, part), data_dir) for year, part in lists])

    parts = {"train": partial(opened, *SETS[chosen])}
    if tested != "none":
        parts["val"] = partial(opened, VOC_TESTS[tested])
    return DetectionSets("voc", parts)


def open_det_sets(data: str) -> DetectionSets:
    """ImageNet DET in the folder ``data``: ``val1.txt`` to train on, and ``train.txt`` if it is there; ``val2.txt``.

    The lists and ``classes.txt`` (see :func:`open_det`) lie beside ``Data/`` and ``Annotations/``, or ``ILSVRC/``.
    """
    folder = Path(os.path.expanduser(data))
    lists = [name for name in ("val1.txt", "train.txt") if name == "val1.txt" or os.path.isfile(folder / name)]

    def opened(*names: str) -> DetectionData:
        parts = [open_det(folder, folder / name, folder / "classes.txt") for name in names]
        return parts[0] if len(parts) == 1 else join(parts)

    return DetectionSets("det", {"train": partial(opened, *lists), "val": partial(opened, "val2.txt")})
