"""Defaults that follow the photos: image size, anchors, smallest proposal, regions, and length of a run."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_resnet.detection.anchor_fitting import fit_anchors, reached_share
from keras_resnet.detection.boxes import area
from keras_resnet.detection.data.box_statistics import seen_boxes
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_specs import (
    DEFAULT_PROPOSALS,
    STRIDES,
    HeadName,
    ImageSize,
    Proposals,
    RegionHead,
)
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.detection.training.steps import PHASES
from keras_resnet.errors import InputError
from keras_resnet.training.files.workdir import begun_settings
from keras_resnet.training.settings import resolve
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief

OWN_PHOTOS = 20_000  # a set with fewer is somebody's own, and trained on in minutes or hours
OWN_EPOCHS, OWN_IMAGES = 16, 1_200  # of a run with them, and the fewest images that it learns from
OWN: dict[str, Any] = {"batch_size": 2, "base_lr": 0.02}
ASPECT = ImageSize.longer / ImageSize.shorter
FEWEST_REGIONS = 32
SMALL = 10  # percent: the percentile of objects' sides that counts as small
FITTED = ("shorter_side", "longer_side", "anchor_scales", "anchor_ratios", "smallest", "regions", "steps")


def follow_photos(
    settings: DetectionSettings, preset: dict[str, Any], train: DetectionData, recipe: str, fit_all: bool = False
) -> dict[str, Any]:
    """``preset`` with what is chosen for the photos of the training part, which is printed.

    A run that goes on keeps what it, or the first of its four steps, began with, even if photos were added. A run that
    has not trained yet, and has at most a checkpoint of step 0, does not go on.

    Args:
        settings: as the command line gives them; what they state is taken as it is.
        preset: the recipe's.
        train: the training photos.
        recipe: its name, by which the run's folder is found.
        fit_all: whether they are somebody's own photos, to which all is fitted if there are fewer than 20,000; of
            others, the anchors are fitted if the photos are resized to another size than the preset's.

    Raises:
        InputError: settings both choose anchors and state them.
    """
    if settings.anchors is not None and (settings.anchor_scales or settings.anchor_ratios):
        raise InputError(f"--anchors {settings.anchors} chooses the anchors: leave out the other settings of anchors.")
    fit_all = fit_all and len(train) < OWN_PHOTOS
    if fit_all:
        size = photo_size(settings, train)
        batch_size = settings.batch_size or OWN["batch_size"]
        images = max(OWN_EPOCHS * (settings.overfit or len(train)), OWN_IMAGES)
        preset = preset | OWN | {"batch_size": batch_size, "steps": max(1, round(images / batch_size))}
    else:
        size = _stated_size(settings, preset)
    other_size = (size.shorter, size.longer) != (preset["shorter_side"], preset["longer_side"])
    preset = preset | {"shorter_side": size.shorter, "longer_side": size.longer}
    workdir = resolve(settings, {}, recipe).workdir
    folders = (workdir, *(workdir / phase.name for phase in PHASES))  # a run's, or those of its four steps
    earlier = next(filter(None, map(begun_settings, folders)), None)
    if earlier is not None:
        kept = {name: earlier[name] for name in FITTED if earlier.get(name) is not None}
        return preset | {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
    if fit_all:
        preset |= {"regions": regions_of(size)}
    stated = settings.anchors == "paper" or (settings.anchor_scales or settings.anchor_ratios) is not None
    if settings.anchors == "auto" or (not stated and (fit_all or other_size)):
        proposals = fit_anchors(seen_boxes(train, size), settings.head)
        preset |= {"anchor_scales": proposals.scales, "anchor_ratios": proposals.ratios, "smallest": proposals.smallest}
        if settings.smallest is not None:
            proposals = replace(proposals, smallest=settings.smallest)
        if is_chief(choose_strategy()):
            print(f"chosen for these photos: {in_words(train, size, proposals, settings.head)}", flush=True)
    return preset


def photo_size(settings: DetectionSettings, train: DetectionData) -> ImageSize:
    """The stated image size, or that of the photos, enlarged until small objects are two cells large, up to 600.

    It is that of half of the photos, and nine in ten of the objects are to be so large.
    """
    sides = np.array([sorted((photo.height, photo.width)) for photo in train.photos])
    shorter = settings.shorter_side or round(
        min(ImageSize.shorter, np.median(sides[:, 0]) * _enlarged(train, settings.head))
    )
    return ImageSize(shorter, settings.longer_side or max(shorter, round(shorter * ASPECT)))


def _enlarged(train: DetectionData, head: HeadName) -> float:
    """By how much photos must be enlarged for nine in ten of their objects to have sides of two cells, at least 1."""
    boxes = np.concatenate([np.zeros((0, 4)), *(photo.objects.boxes for photo in train.photos)])
    small = np.percentile(np.sqrt(area(boxes)), SMALL) if len(boxes) else np.inf
    return max(1.0, 2 * STRIDES[head][0] / max(small, 1.0))


def regions_of(size: ImageSize) -> int:
    """How many regions of a photo to learn from: as many for its area as in the paper, and at least 32."""
    share = size.shorter * size.longer / (ImageSize.shorter * ImageSize.longer)
    return int(np.clip(8 * np.ceil(RegionHead.regions * share / 8), FEWEST_REGIONS, RegionHead.regions))


def in_words(train: DetectionData, size: ImageSize, proposals: Proposals, head: HeadName = "c4") -> str:
    """The choices, and how many objects the anchors reach with them and with the paper's."""
    rows = seen_boxes(train, size)
    boxes = rows.boxes[rows.learned]
    ours, paper = (reached_share(boxes, fitted, head) for fitted in (proposals, DEFAULT_PROPOSALS[head]))
    sides = ", ".join(f"{16 * scale:.0f}" for scale in proposals.scales)
    ratios = ", ".join(f"{ratio:g}" for ratio in proposals.ratios)
    return (
        f"photos are resized to {size.shorter} pixels (at most {size.longer}); anchors of {sides} pixels, with widths "
        f"of {ratios} times their heights, overlap {ours:.0%} of {len(boxes):,} objects by 50 % (the paper's: "
        f"{paper:.0%}); proposals have sides of {proposals.smallest:g} pixel{'s' * (proposals.smallest != 1)} or more"
    )


def _stated_size(settings: DetectionSettings, preset: dict[str, Any]) -> ImageSize:
    shorter = settings.shorter_side or preset["shorter_side"]
    longer = preset["longer_side"] if shorter == preset["shorter_side"] else max(shorter, round(shorter * ASPECT))
    return ImageSize(shorter, settings.longer_side or longer)
