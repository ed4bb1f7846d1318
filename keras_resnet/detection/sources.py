"""Where detection data comes from: folders in COCO's layout, VOC's, TFDS, or the built-in demo set."""

from dataclasses import dataclass
from pathlib import Path

from keras_resnet.detection import demo
from keras_resnet.detection.coco_data import open_coco
from keras_resnet.detection.det_data import open_det
from keras_resnet.detection.photos import DetectionData, join
from keras_resnet.detection.tfds_data import open_tfds_detection
from keras_resnet.detection.voc_data import SETS, open_voc
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
    """The parts of a data set; those that there are not are None."""

    name: str
    train: DetectionData
    validation: DetectionData | None = None
    test: DetectionData | None = None

    def part(self, name: str) -> DetectionData:
        """``"train"``, ``"val"`` or ``"test"``; raises :class:`InputError` for one that there is not."""
        found = {"train": self.train, "val": self.validation, "test": self.test}.get(name)
        if found is None:
            raise InputError(f"{self.name} has no {name} part.")
        return found


def open_coco_sets(data: str, data_dir: Path | None = None) -> DetectionSets:
    """``"demo"``, a TFDS name as ``"coco/2014"``, or a folder in COCO's layout.

    A folder holds ``train.json`` and ``train/``, ``val.json`` and ``val/``; or COCO as its archives unpack, with
    ``annotations/instances_train2014.json`` and ``train2014/`` (or 2017); or one part, ``instances.json`` and
    ``images/``.

    Raises:
        InputError: nothing of the kind is there, or it cannot be read.
    """
    if data == "demo":
        parts = demo.open_demo()
        return DetectionSets("demo", parts["train"], parts["val"], parts["test"])
    folder = Path(data).expanduser()
    if data.startswith("coco/") and not folder.is_dir():
        return DetectionSets(data, *(open_tfds_detection(data, part, data_dir) for part in ("train", "validation")))
    parts = {}
    for part, layouts in COCO_LAYOUTS.items():
        there = [(folder / file, folder / images) for file, images in layouts if (folder / file).is_file()]
        parts[part] = open_coco(*there[0]) if there else None
    if parts["train"] is None:
        listed = ", ".join(f"{file} with {images}/" for file, images in COCO_LAYOUTS["train"])
        raise InputError(f"{folder} holds no detection data in COCO's layout, one of {listed}.")
    return DetectionSets(folder.name, *parts.values())


def open_voc_sets(data: str, data_dir: Path | None, chosen: str, tested: str) -> DetectionSets:
    """VOC: ``chosen`` of ``"07"``, ``"07+12"`` and ``"07++12"`` to train on, ``tested`` of ``"07"`` and ``"12"``.

    ``data`` is the folder that holds ``VOC2007`` and ``VOC2012``, or ``"voc"`` for TFDS. VOC 2012's test part has no
    public objects: its ``val`` part stands for it.
    """
    if data == "voc":
        parts = [(f"voc/{year[3:]}", {"trainval": "train+validation"}.get(part, part)) for year, part in SETS[chosen]]
        train = join([open_tfds_detection(name, split, data_dir) for name, split in parts])
        name, split = {"07": ("voc/2007", "test"), "12": ("voc/2012", "validation")}[tested]
        return DetectionSets("voc", train, open_tfds_detection(name, split, data_dir))
    return DetectionSets("voc", open_voc(data, SETS[chosen]), open_voc(data, (VOC_TESTS[tested],)))


def open_det_sets(data: str) -> DetectionSets:
    """ImageNet DET in the folder ``data``: ``val1.txt`` to train on, and ``train.txt`` if it is there; ``val2.txt``.

    The lists and ``classes.txt`` (see :func:`open_det`) lie beside ``Data/`` and ``Annotations/``, or ``ILSVRC/``.
    """
    folder = Path(data).expanduser()
    lists = [name for name in ("val1.txt", "train.txt") if name == "val1.txt" or (folder / name).is_file()]
    parts = [open_det(folder, folder / name, folder / "classes.txt") for name in (*lists, "val2.txt")]
    return DetectionSets("det", parts[0] if len(lists) == 1 else join(parts[:-1]), parts[-1])
