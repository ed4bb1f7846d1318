"""What a run says about its boxes before it trains, and about proposals that reach too few objects."""

from collections.abc import Mapping
from typing import Any

from keras_resnet.detection.data.box_advice import about_reach, box_advice, boxes_by_class, reach_by_size
from keras_resnet.detection.data.box_statistics import box_statistics
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.detector_specs import Proposals
from keras_resnet.detection.training.detection_settings import DetectionSettings
from keras_resnet.wording import counted

LOW_RECALL = 0.5  # of the proposals, below which a detector cannot become good
FAR_SHARE, TINY_SHARE = 0.2, 0.2  # of the objects, from which anchors or the smallest proposal are the reason


def statistics_of(settings: DetectionSettings, part: DetectionData) -> dict[str, Any]:
    """The statistics of ``part`` for the detector that resolved ``settings`` describe."""
    proposals = Proposals(settings.anchor_scales, settings.anchor_ratios, settings.smallest)
    return box_statistics(part, settings.image_size, proposals, settings.head)


def boxes_overview(settings: DetectionSettings, parts: Mapping[str, DetectionData]) -> str:
    """Lines of what the parts hold: a table of the training part's classes and sizes, and what will go wrong.

    Args:
        settings: resolved.
        parts: ``"train"``, and ``"validation"`` if there is one.
    """
    contents = {name: statistics_of(settings, part) for name, part in parts.items()}
    lines = [
        f"{name}: {counted(content['photos'], 'photo')} with {counted(content['boxes'], 'box')} of "
        f"{len(content['classes']):,} classes"
        for name, content in contents.items()
    ]
    lines += ["", boxes_by_class(contents["train"]).aligned(), "", reach_by_size(contents["train"]).aligned(), ""]
    return "\n".join(lines + [sentence for name in contents for sentence in box_advice(name, contents[name])])


def low_recall(settings: DetectionSettings, part: DetectionData, recall: float) -> str:
    """That the proposals reach too few objects of ``part``, and why."""
    content = statistics_of(settings, part)
    reach, tiny = content["reach"], content["tiny"]["boxes"]
    failing = f"the proposals reach {recall:.0%} of the objects, and what no proposal reaches cannot be found"
    reasons = about_reach("validation", content) if reach["50"] < 1 - FAR_SHARE else []
    if tiny > TINY_SHARE * max(content["boxes"], 1):
        reasons.append(
            f"{tiny:,} of {content['boxes']:,} boxes have a side below {settings.smallest:g} pixels as the detector "
            "sees them, where it proposes no regions: take a larger --shorter-side or a smaller --smallest."
        )
    if not reasons:
        reasons.append(
            f"the anchors overlap {reach['50']:.0%} of them by 50 %, so the proposal network has not learned yet: if "
            "it stays so, train for more --steps or at a higher --base-lr, and look for wrong boxes in boxes.jpg."
        )
    return f"{failing}: {' '.join(reasons)}"
