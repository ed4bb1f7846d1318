"""Errors of localization, in the rows of Table 13.

    python tools/evaluate_localization.py --rpn RUN/rpn/last.keras --classifier best.keras --data DIR
    python tools/evaluate_localization.py --rpn A B --rcnn C D --classifier E F --data DIR --json table.json

A photo is right if one of the answers has its class and a box that overlaps an object of it by half. The rows are: the
RPN with the true class, 1-crop and dense; the same with the R-CNN; the classifier's five classes, without the R-CNN and
with it; and all networks together. Rows whose networks are not given are left out. Each row has the paper's error, its
own with the exact 95 % interval, the difference to the first row of its kind with the paired bootstrap's interval, and
the time a photo takes. --out writes submission files of every row; of a test part without boxes that is all there is.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from keras_resnet.bounds import Between, Count, Length, Pixels
from keras_resnet.command_line import Folder, JsonFile, ModelFile, ModelName, run_tool
from keras_resnet.localization.defaults import PROPOSALS
from keras_resnet.localization.row_names import RowName
from keras_resnet.training.settings import Precision


@dataclass(frozen=True)
class EvaluateLocalization:
    """Which networks on which photos, and how they are tested."""

    rpn: tuple[ModelFile, ...]
    """RPNs, rpn/last.keras of recipes/localization.py."""
    rcnn: tuple[ModelFile, ...] = ()
    """R-CNNs, rcnn/last.keras."""
    classifier: tuple[ModelName, ...] = ()
    """Trained networks of the same classes, NAME:WEIGHTS or files, for the rows with predicted classes."""
    data: str = "demo"
    """demo, ILSVRC's localization folder, a folder in COCO's layout, or a TFDS data set with boxes."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: str = "val"
    """Which part: train, val or test."""
    first: Count | None = None
    """Take only so many photos."""
    rows: tuple[RowName, ...] | None = None
    """Which rows to print; default all that the networks given allow."""
    scales: Annotated[tuple[Pixels, ...], Length(1, 100)] | None = None
    """Shorter sides of dense testing, in pixels; default 224 256 384 480 640, in proportion to the RPN's."""
    proposals: Annotated[int, Between(1, 2_000)] = PROPOSALS
    """Boxes of each class that the R-CNN scores again."""
    precision: Precision = "float32"
    """Number format of the layers."""
    out: Folder | None = None
    """A folder for submission files, one below it for each row."""
    json: JsonFile | None = None
    """A file for the table as data, with the command, commit and machine."""

    def run(self) -> None:
        import keras

        from keras_resnet import detection, localization
        from keras_resnet.evaluation import View
        from keras_resnet.loading import load_model

        keras.config.set_dtype_policy(self.precision)
        rpns = [localization.load_localizer(path, localization.LocalizationRPN) for path in self.rpn]
        rcnns = [localization.load_localizer(path, localization.LocalizationRCNN) for path in self.rcnn]
        networks = localization.Networks(rpns, rcnns, [load_model(model) for model in self.classifier])
        data = localization.open_localization_sets(self.data, self.data_dir).part(self.split)
        data = data if self.first is None else data.first(self.first)
        if self.split != "train":
            for path, network in zip((*self.rpn, *self.rcnn), (*rpns, *rcnns), strict=True):
                detection.check_unseen(network.trained_on, data, str(path))
        dense = View("multi-scale", self.scales, flips=True)
        testing = localization.Testing(self.rows, dense, self.proposals, self.out, self.json)
        localization.print_rows(networks, data, testing)


if __name__ == "__main__":
    run_tool(EvaluateLocalization, __doc__)
