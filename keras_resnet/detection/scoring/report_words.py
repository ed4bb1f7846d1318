"""A detector's results by class in words and rows; of plain values, so that reporting needs no Keras."""

from typing import Any

from keras_resnet.wording import counted

NAMED = 3
HEADER = ("class", "objects", "AP50, % (95 % interval)", "threshold", "recall there, %", "precision there, %")


def in_words(by_class: dict[str, Any]) -> list[str]:
    """Lines on the best and worst classes, confusions, sizes and thresholds, of ``DetectionReport.as_json``."""
    classes = sorted((row for row in by_class["classes"] if row["AP50"]), key=lambda row: -row["AP50"][0])
    worst = [row for row in classes[::-1][:NAMED] if row not in classes[:NAMED]]
    pairs = ", ".join("{class} taken for {answer} ({count})".format(**pair) for pair in by_class["confused"][:NAMED])
    sizes = ", ".join(f"{row['size']} {interval(row['AP50'])}" for row in by_class["sizes"])
    lines = [f"AP50 {interval(by_class['AP50'])}; best: {_named(classes[:NAMED])}"]
    lines[0] += f"; worst: {_named(worst)}" if worst else ""
    lines += [f"AP50 by size: {sizes}"] if sizes else []
    thresholds = ", ".join(f"{row['class']} {row['threshold']:.2f}" for row in classes[:NAMED])
    return [
        *lines,
        f"at the scores of the highest F1 ({thresholds}; {by_class['threshold']:.2f} for all classes): "
        f"{counted(by_class['missed'], 'object')} missed, {counted(by_class['false'], 'box')} on nothing; "
        f"most confused: {pairs or 'none'}",
    ]


def rows(by_class: dict[str, Any]) -> list[tuple[str, ...]]:
    """Cells by ``HEADER``, the classes of the lowest AP50 first."""
    classes = sorted(by_class["classes"], key=lambda row: (row["AP50"] is None, row["AP50"]))
    return [
        (
            *(row["class"], f"{row['objects']:,}", interval(row["AP50"]), f"{row['threshold']:.2f}"),
            *(interval(row["recall"]), interval(row["precision"])),
        )
        for row in classes
    ]


def _named(classes: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['class']} {row['AP50'][0]:.0f} %" for row in classes)


def interval(share: list | None) -> str:
    """A percentage and its interval, empty if it is not known."""
    return "" if share is None or share[0] is None else "{:.1f} ({:.1f} to {:.1f})".format(*share)
