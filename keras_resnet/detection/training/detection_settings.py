"""Settings of the detection recipes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from keras_resnet.bounds import BY_PRESET, Between, ByPreset, Count, Length, Pixels
from keras_resnet.detection.defaults import RATIOS, REGIONS, SCALES, SMALLEST
from keras_resnet.errors import InputError
from keras_resnet.specs import SPECS, NetSpec, find_spec, split_name
from keras_resnet.training.flags import Rare
from keras_resnet.training.settings import RunSettings
from keras_resnet.weights.file_bounds import expanded

Anchors = Annotated[tuple[Annotated[float, Between(0.01, 100)], ...], Length(1, 20)]
LAYERS = {  # what a paper's detector has, where a preset does not say otherwise
    "shorter_side": 600, "longer_side": 1000, "regions": REGIONS, "anchor_scales": SCALES, "anchor_ratios": RATIOS,
    "smallest": SMALLEST,
}  # fmt: skip

DEMO_CLASSIFIER = "python recipes/imagenet.py --model ResNet18 --image-size 96 --epochs 15"


def check_backbone(name: str, spec: NetSpec) -> None:
    """Raise :class:`InputError` for a network that has no stride 16 to be cut at."""
    if spec.stem != "imagenet":
        raise InputError(
            f"{name} is a CIFAR network, of stride {spec.stride}: a detector needs an ImageNet network, ResNet18 to "
            "ResNet152 or PlainNet18 to PlainNet152."
        )


def check_classifier(model: str | None, demo: str) -> None:
    """Raise :class:`InputError` unless ``model`` may be a trained ImageNet network; ``demo`` makes the demo set's."""
    if model is None:
        raise InputError(
            "--model must name a trained classifier (NAME:WEIGHTS, or a .keras file); for the demo set make one with "
            f"{demo}, and give its last.keras."
        )
    name, weights = split_name(model)
    if name in SPECS:
        check_backbone(name, SPECS[name])
    if name is None and not Path(model).suffix:
        find_spec(model)
    if weights not in ("", "imagenet") and not expanded(weights).is_file():
        raise InputError(
            f"There is no weight file {weights}: give NAME, NAME:imagenet or NAME:FILE, or a .keras or weight file."
        )


@dataclass(frozen=True)
class DetectionSettings(RunSettings):
    """What detector to train, on what, and how; what is left out follows the data set's preset."""

    model: ByPreset[str] = BY_PRESET
    """The trained classifier it starts from: NAME:WEIGHTS (a file, or imagenet), a .keras or another weight file;
    VGG16 or VGG16:WEIGHTS for the paper's baseline."""
    data: str = "demo"
    """demo, a folder in COCO's layout (train.json with train/, val.json with val/, or as COCO's archives unpack), or
    coco/2014 or coco/2017 of TFDS."""
    scheme: Literal["joint", "alternating"] = "joint"
    """Train all parts together, or in the paper's four steps: proposals and regions in turn, then each again on shared
    layers that stand still."""
    context: bool = False
    """Give each region the features of the whole image too (Table 9)."""
    pooling: Literal["align", "max"] = "align"
    """How features of regions are taken: RoI align, or the RoI max pooling of Fast R-CNN."""
    shorter_side: ByPreset[Pixels] = BY_PRESET
    """Shorter side of the images in pixels."""
    longer_side: ByPreset[Pixels] = BY_PRESET
    """Longest longer side of the images in pixels."""
    regions: Rare[ByPreset[Annotated[int, Between(1, 2_000)]]] = BY_PRESET  # as there are proposals
    """Regions learned from in each image."""
    anchor_scales: Rare[ByPreset[Anchors]] = BY_PRESET
    """Sides of the anchors, in units of 16 pixels."""
    anchor_ratios: Rare[ByPreset[Anchors]] = BY_PRESET
    """Height over width of the anchors."""
    smallest: Rare[ByPreset[Annotated[float, Between(1e-6, 10_000)]]] = BY_PRESET
    """Proposals with a side shorter than this, in pixels, are dropped."""
    overfit: Rare[Count | None] = None
    """Train on the first so many photos alone and validate on the same ones: a check that all parts learn."""

    def check_model(self) -> None:
        check_classifier(self.model, DEMO_CLASSIFIER)

    def check(self) -> None:
        super().check()
        if self.shorter_side and self.longer_side and self.shorter_side > self.longer_side:
            raise InputError(
                f"--shorter-side {self.shorter_side} is more than --longer-side {self.longer_side}: give both, the "
                "shorter one first."
            )
