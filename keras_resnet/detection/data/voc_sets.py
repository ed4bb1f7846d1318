"""The parts of PASCAL VOC that the paper trains and tests on (Sec. 4.3), by the names that ``recipes/voc.py`` takes."""

from typing import Literal

Part = tuple[str, str]  # the folder of a year, and a list
TrainingSet = Literal["07", "07+12", "07++12", "07+12train", "07++12train"]
TestSet = Literal["07", "12", "none"]
TRAINING_SETS: dict[TrainingSet, tuple[Part, ...]] = {  # 12train leaves 2012's val to score on
    "07": (("VOC2007", "trainval"),),
    "07+12": (("VOC2007", "trainval"), ("VOC2012", "trainval")),
    "07++12": (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "trainval")),
    "07+12train": (("VOC2007", "trainval"), ("VOC2012", "train")),
    "07++12train": (("VOC2007", "trainval"), ("VOC2007", "test"), ("VOC2012", "train")),
}
TEST_SETS: dict[TestSet, tuple[Part, ...]] = {"07": (("VOC2007", "test"),), "12": (("VOC2012", "val"),), "none": ()}
