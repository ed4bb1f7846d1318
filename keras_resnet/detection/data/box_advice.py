"""What a data set's boxes mean for a detector, in sentences and tables; of plain values."""

from typing import Any

from keras_resnet.detection.anchors import STRIDE
from keras_resnet.tables import Table
from keras_resnet.wording import counted, named

FEW = 20  # boxes of a class
MOST_UNFITTED = 0.35  # of the objects larger than two cells, above which other anchors would reach more
MOST_FAR = 0.05  # of the objects, below which it is not said that no anchor reaches them
MAX_ROWS = 30  # classes of a table in a terminal
PROBLEMS = {  # of boxes, in words, with the way out
    "without_area": "without area, which {are} left out: draw {them} again",
    "outside": "beyond the edge of the photo, where {they} {are} cut off: {were} {they} drawn at another size of it?",
    "twice": "on another one of the same class: delete one, or objects will be found twice",
    "tiny": "with a side below {smallest:g} pixels as the detector sees {them}, where it proposes no regions: take a "
    "larger --shorter-side or a smaller --smallest, or cut the photos into parts",
}
ONE = {"are": "is", "them": "it", "they": "it", "were": "was"}
MANY = {"are": "are", "them": "them", "they": "they", "were": "were"}


def box_advice(name: str, content: dict[str, Any]) -> list[str]:
    """A sentence for each thing that will go wrong with the part called ``name``, of its ``box_statistics``."""
    sentences = []
    for key, words in PROBLEMS.items():
        count = content[key]["boxes"]
        if count:
            text = words.format(smallest=content["smallest_proposal"], **(ONE if count == 1 else MANY))
            sentences.append(f"{name}: {counted(count, 'box')} {text} (such as in {content[key]['photos'][0]}).")
    sentences += about_reach(name, content)
    none = [class_name for class_name, about in content["classes"].items() if not about["boxes"]]
    if none:
        sentences.append(f"{name}: no box is of {named(none)}: annotate some, or take the classes out.")
    few = [class_name for class_name, about in content["classes"].items() if 0 < about["boxes"] < FEW]
    if few:
        sentences.append(f"{name}: {named(few)}: fewer than {FEW} boxes. Annotate more.")
    if content["without_boxes"]:
        sentences.append(f"{name}: photos without a box, which are not trained on: {content['without_boxes']:,}.")
    return sentences


def about_reach(name: str, content: dict[str, Any]) -> list[str]:
    """A sentence about objects that no anchor overlaps by half, if there are many."""
    reach = content["reach"]
    far = round(reach["objects"] * (1 - reach["50"]))
    if far <= MOST_FAR * reach["objects"]:
        return []
    unreached = [row for row in reach["sizes"] if not row["50"]]
    where = f", none of those of {', '.join(map(_pixels, unreached))} pixels" if unreached else ""
    sides = ", ".join(f"{side:g}" for side in content["anchor_sides"])
    small = sum(row["objects"] * (1 - row["50"]) for row in reach["sizes"] if row["to"] <= 2 * STRIDE)
    larger = sum(row["objects"] for row in reach["sizes"] if row["to"] > 2 * STRIDE)
    ways_out = ["--anchors auto fits them to the boxes"] if far - small > MOST_UNFITTED * larger else []
    if small > far / 2 or not ways_out:
        ways_out.append(f"small objects lie between the cells, {STRIDE} pixels apart, so take a larger --shorter-side")
    return [
        f"{name}: {far:,} of {reach['objects']:,} objects ({far / reach['objects']:.0%}) overlap no anchor by 50 %"
        f"{where}: the anchors' sides are {sides} pixels, where photos are resized to {content['seen_at'][0]}; "
        f"{'; '.join(ways_out)}."
    ]


def boxes_by_class(content: dict[str, Any]) -> Table:
    """The boxes of each class by size; those of most boxes if there are many classes."""
    table = Table("boxes", ("class", "boxes", "photos", "below 32²", "below 96²", "above"))
    rows = sorted(content["classes"].items(), key=lambda row: -row[1]["boxes"])
    for class_name, about in rows[:MAX_ROWS]:
        keys = ("boxes", "photos", "small", "medium", "large")
        table.rows.append((class_name, *(f"{about[key]:,}" for key in keys)))
    return table


def reach_by_size(content: dict[str, Any]) -> Table:
    """The share of the objects of each size that some anchor overlaps by 50 % and by 70 %."""
    table = Table("reach", ("side as seen, pixels", "objects", "reached at 50 %", "reached at 70 %"))
    for row in content["reach"]["sizes"]:
        table.rows.append((_pixels(row), f"{row['objects']:,}", f"{row['50']:.0%}", f"{row['70']:.0%}"))
    reach = content["reach"]
    table.rows.append(("all", f"{reach['objects']:,}", f"{reach['50']:.0%}", f"{reach['70']:.0%}"))
    return table


def _pixels(row: dict[str, Any]) -> str:
    return f"{row['from']} to {row['to']}"
