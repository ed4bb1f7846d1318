"""How a detector is built on its backbone, as plain values; the defaults are the paper's (Sec. 4.3).

The proposals, the region head and the image size have a description each. All their fields are keys of a saved
detector's configuration, so their names must not change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from keras_resnet.bounds import Between, Length, Pixels, check_fields
from keras_resnet.errors import InputError

AnchorValues = Annotated[tuple[Annotated[float, Between(0.01, 100)], ...], Length(1, 20)]
RegionCount = Annotated[int, Between(1, 2_000)]  # up to the number of proposals in training
ProposalSide = Annotated[float, Between(1e-6, 10_000)]
Pooling = Literal["align", "max"]
Augmentation = Literal["crop", "scale", "colour"]
HeadName = Literal["c4", "fpn"]


class _Checked:
    """Raises :class:`~keras_resnet.errors.InputError` when it is made with a value that its field does not allow."""

    def __post_init__(self):
        check_fields(self, flags=False)


@dataclass(frozen=True)
class Proposals(_Checked):
    """Where region proposals come from (Ren et al. 2015, Sec. 3).

    The anchors' sides are absolute, so that the levels of a feature pyramid can share one description, each taking one
    of its scales.

    Fields:
        scales: sides of the square anchors in units of 16 pixels.
        ratios: widths of the anchors over their heights, at equal area.
        smallest: proposals with a side shorter than this, in pixels, are dropped.
    """

    scales: AnchorValues = (8.0, 16.0, 32.0)
    ratios: AnchorValues = (0.5, 1.0, 2.0)
    smallest: ProposalSide = 16.0

    def __post_init__(self):
        for name in ("scales", "ratios"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # files have lists
        super().__post_init__()


STRIDES: dict[HeadName, tuple[int, ...]] = {"c4": (16,), "fpn": (4, 8, 16, 32, 64)}  # pixels between cells, by map
DEFAULT_PROPOSALS: dict[HeadName, Proposals] = {  # the papers' anchors; a pyramid has a scale for each level
    "c4": Proposals(),
    "fpn": Proposals((2.0, 4.0, 8.0, 16.0, 32.0), smallest=1.0),
}


@dataclass(frozen=True)
class RegionHead(_Checked):
    """How regions are classified and their boxes refined (Girshick 2015, Sec. 2).

    Fields:
        pooling: how a region's features are taken, by RoI align or by RoI max pooling.
        context: also give each region the features of the whole image (appendix B).
        regions: how many regions of each image it learns from.
    """

    pooling: Pooling = "align"
    context: bool = False
    regions: RegionCount = 128


@dataclass(frozen=True)
class ImageSize(_Checked):
    """The size to which images are resized, keeping their aspect ratio.

    Fields:
        shorter: the shorter side in pixels, unless the longer one would then exceed ``longer``.
        longer: the most that the longer side may have, in pixels.
    """

    shorter: Pixels = 600
    longer: Pixels = 1000


@dataclass(frozen=True)
class TrainingView(ImageSize):
    """How a detector sees photos in training: their size, and how they are augmented besides mirroring.

    Fields:
        augment: see ``box_augment``; nothing in the paper.
    """

    augment: tuple[Augmentation, ...] = ()


def check_head(head: HeadName, context: bool, scales: Sequence[float]) -> None:
    """Raise :class:`~keras_resnet.errors.InputError` for context or anchor scales that ``head`` does not have."""
    if head == "c4":
        return
    if context:
        raise InputError("Global context belongs to the head c4 (appendix B): leave out context, or take head c4.")
    usual = DEFAULT_PROPOSALS[head].scales
    if len(scales) != len(usual):
        raise InputError(
            f"The head {head} has one anchor scale for each of its {len(usual)} levels, and "
            f"{' '.join(map(str, scales))} are {len(scales)}: give {len(usual)}, such as {' '.join(map(str, usual))}."
        )
