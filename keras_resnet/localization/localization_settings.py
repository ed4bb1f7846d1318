"""Settings of the localization recipe."""

from dataclasses import dataclass
from typing import Annotated, Literal

from keras_resnet.bounds import BY_PRESET, Between, ByPreset, Length, Pixels, Steps
from keras_resnet.detection.training.detection_settings import check_classifier
from keras_resnet.training.flags import Rare
from keras_resnet.training.settings import RunSettings

Stage = Literal["rpn", "extract", "rcnn", "test"]
STAGES: tuple[Stage, ...] = ("rpn", "extract", "rcnn", "test")
Shares = Annotated[tuple[Annotated[float, Between(0.01, 10)], ...], Length(1, 20)]


@dataclass(frozen=True)
class LocalizationSettings(RunSettings):
    """What to localize with, where, and how; what is left out follows the data set's preset."""

    model: ByPreset[str] = BY_PRESET
    """The trained classifier it starts from, and whose classes are taken in the test: NAME:WEIGHTS (a file, or
    imagenet), a .keras or another weight file."""
    data: str = "demo"
    """demo; a folder with ILSVRC's Annotations/CLS-LOC and Data/CLS-LOC; a folder in COCO's layout; or a TFDS data set
    that has boxes, as voc/2007. Of photos with several classes that of the largest object counts."""
    stages: Annotated[tuple[Stage, ...], Length(1, 4)] = STAGES
    """What to do: train the RPN, extract its boxes, train the R-CNN on them, test. Finished ones are not done again."""
    image_size: ByPreset[Pixels] = BY_PRESET
    """Side of the square crops that the RPN learns from, in pixels."""
    region_size: ByPreset[Pixels] = BY_PRESET
    """Side of the squares that the R-CNN's regions are warped to, in pixels."""
    proposals: ByPreset[Annotated[int, Between(1, 2_000)]] = BY_PRESET
    """Boxes of the RPN that the R-CNN learns from in each photo, and scores again in the test."""
    rcnn_steps: ByPreset[Steps] = BY_PRESET
    """Length of the R-CNN's training in steps; --steps and --epochs are the RPN's."""
    anchor_shares: Rare[ByPreset[Shares]] = BY_PRESET
    """Sides of the anchors, as shares of --image-size."""
    anchor_ratios: Rare[ByPreset[Shares]] = BY_PRESET
    """Width over height of the anchors."""

    def check_model(self) -> None:
        demo = "python recipes/imagenet.py --model ResNet18 --change width=0.5 --image-size 96 --epochs 20"
        check_classifier(self.model, demo)
