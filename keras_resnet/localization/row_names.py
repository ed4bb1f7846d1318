"""The rows of Table 13, by the names that command lines give them."""

from dataclasses import dataclass
from typing import Literal

from keras_resnet.localization.defaults import TOP

RowName = Literal["crop", "dense", "crop-rcnn", "dense-rcnn", "top5", "top5-rcnn", "ensemble"]


@dataclass(frozen=True)
class Row:
    """A row of Table 13.

    Fields:
        words: what it is.
        paper: the paper's error on ImageNet's validation photos, in percent; empty where it has none.
        top: how many classes are asked for: the true one, or the classifier's five.
        dense: whether the RPN sees whole photos at several scales, mirrored too, or their center.
        rescored: whether the R-CNN has the last word.
        ensemble: whether all networks of each kind take part, or the first.
    """

    words: str
    paper: str = ""
    top: int = 1
    dense: bool = True
    rescored: bool = False
    ensemble: bool = False


ROWS: dict[RowName, Row] = {
    "crop": Row("RPN, 1-crop, true class", "13.3", dense=False),
    "dense": Row("RPN, dense, true class", "11.7"),
    "crop-rcnn": Row("RPN + R-CNN, 1-crop, true class", dense=False, rescored=True),
    "dense-rcnn": Row("RPN + R-CNN, dense, true class", rescored=True),
    "top5": Row("RPN, dense, five predicted classes", "14.4", TOP),
    "top5-rcnn": Row("RPN + R-CNN, dense, five predicted classes", "10.6", TOP, rescored=True),
    "ensemble": Row("ensemble, dense, five predicted classes", "8.9", TOP, rescored=True, ensemble=True),
}
