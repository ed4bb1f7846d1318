"""Settings of the detection recipes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from keras_resnet.bounds import BY_PRESET, ByPreset, Count, Length, Pixels
from keras_resnet.detection import detector_specs as specs
from keras_resnet.detection.detector_specs import DEFAULT_PROPOSALS, HeadName, ImageSize, RegionHead, check_head
from keras_resnet.errors import InputError
from keras_resnet.specs import SPECS, NetSpec, find_spec, split_name
from keras_resnet.training.flags import Rare
from keras_resnet.training.settings import RunSettings
from keras_resnet.weights.file_bounds import expanded

Scheme = Literal["joint", "alternating"]
Kept = Literal["shared", "proposals", "regions", "classes"]
DEFAULT_HEAD: HeadName = "c4"  # the paper's


def paper_settings(head: HeadName) -> dict[str, Any]:
    """The settings of a detector of the paper, with the anchors that belong to ``head``."""
    proposals = DEFAULT_PROPOSALS[head]
    return {
        "head": head, "pooling": RegionHead.pooling,
        "regions": RegionHead.regions,
        "shorter_side": ImageSize.shorter, "longer_side": ImageSize.longer,
        "anchor_scales": proposals.scales, "anchor_ratios": proposals.ratios, "smallest": proposals.smallest,
    }  # fmt: skip


DEMO_CLASSIFIER = "python recipes/imagenet.py --model ResNet18 --image-size 96 --epochs 15"


def check_backbone(name: str, spec: NetSpec) -> None:
    """Raise :class:`InputError` for a network that has no feature map of stride 16."""
    if spec.stem != "imagenet":
        raise InputError(
            f"{name} is a CIFAR network, of stride {spec.stride}: a detector needs an ImageNet network, ResNet18 to "
            "ResNet152 or PlainNet18 to PlainNet152."
        )


def check_classifier(model: str | None, demo: str) -> None:
    """Raise :class:`InputError` unless ``model`` names a network that can be a backbone.

    Args:
        model: the name or the file.
        demo: the command that trains such a network for the demo set.
    """
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
    """The detector to train, the data, and how; settings that are left out follow the data set's preset."""

    model: ByPreset[str] = BY_PRESET
    """The classifier it starts from: NAME:WEIGHTS (a file, or imagenet), a .keras or weight file, VGG16 or
    VGG16:WEIGHTS; or a finished detector's .keras file, whose settings hold."""
    keep: tuple[Kept, ...] = ()
    """Parts of a finished detector that do not learn: shared proposals regions classes."""
    data: str = "demo"
    """demo or demo-small; your photos (YOLO, COCO's format, CSV); coco/2014 or coco/2017 of TFDS."""
    scheme: Scheme = "joint"
    """All parts together, or the paper's four steps: proposals and regions in turn."""
    head: ByPreset[HeadName] = BY_PRESET
    """Regions go through conv5_x, or come from a feature pyramid."""
    context: bool = False
    """Give regions the whole image's features too (Table 9, c4)."""
    pooling: ByPreset[specs.Pooling] = BY_PRESET
    """RoI align or Fast R-CNN's pooling."""
    shorter_side: ByPreset[Pixels] = BY_PRESET
    """Shorter side of the images, pixels."""
    longer_side: ByPreset[Pixels] = BY_PRESET
    """The most pixels that the longer side may have."""
    augment: Annotated[tuple[specs.Augmentation, ...], Length(0, 3)] = ()
    """Besides mirroring: crop (all objects stay whole), scale (0.7 to 1.4), colour."""
    regions: Rare[ByPreset[specs.RegionCount]] = BY_PRESET
    """Regions learned from in each image."""
    anchors: Literal["auto", "paper"] | None = None
    """Fitted to the boxes, or the paper's. Default: the paper's on COCO, VOC and DET at its size."""
    anchor_scales: Rare[ByPreset[specs.AnchorValues]] = BY_PRESET
    """Sides of the anchors in units of 16 pixels; of fpn one for each of five levels."""
    anchor_ratios: Rare[ByPreset[specs.AnchorValues]] = BY_PRESET
    """Widths of the anchors over heights."""
    smallest: Rare[ByPreset[specs.ProposalSide]] = BY_PRESET
    """The shortest side of a proposal, in pixels."""
    overfit: Rare[Count | None] = None
    """Train and validate on the first N photos only."""

    @property
    def image_size(self) -> ImageSize:
        """To which images are resized."""
        return ImageSize(self.shorter_side, self.longer_side)

    def check_model(self) -> None:
        """Raise :class:`InputError` unless ``model`` names a network from which a detector can be made."""
        check_classifier(self.model, DEMO_CLASSIFIER)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that cannot be used, alone or together."""
        super().check()
        if self.shorter_side and self.longer_side and self.shorter_side > self.longer_side:
            raise InputError(
                f"--shorter-side {self.shorter_side} is more than --longer-side {self.longer_side}: give both, the "
                "shorter one first."
            )
        if self.anchor_scales:
            check_head(self.head or DEFAULT_HEAD, self.context, self.anchor_scales)
