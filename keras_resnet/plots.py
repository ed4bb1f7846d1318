"""All figures of this package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.drawing import font_file


def error_curves(runs: dict[str, list[dict]], path: Path) -> None:
    """Draw training (thin, dashed) and validation (bold) error over steps, as in Fig. 6, into a PNG file.

    Args:
        runs: the rows of each run's ``metrics.csv``, by the run's name.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    highest = 0.0
    for number, (name, rows) in enumerate(runs.items()):
        for split, style in (("train", {"linestyle": "--", "linewidth": 1}), ("validation", {"linewidth": 2.2})):
            points = [(row["step"], row["error"]) for row in rows if row["split"] == split]
            if points:
                marker = "o" if len(points) == 1 else None
                axes.plot(
                    *zip(*points, strict=True), color=f"C{number}", marker=marker, label=f"{name} {split}", **style
                )
                highest = max(highest, sorted(error for _, error in points)[-max(1, len(points) // 10)])
    axes.locator_params(axis="x", nbins=6)  # numbers of five digits side by side
    axes.set_xlabel("step")
    axes.set_ylabel("error (%)")
    axes.set_ylim(0, min(100, highest * 1.1) or 1)
    axes.grid(alpha=0.3)
    if runs and any(runs.values()):  # beside the axes, where many curves leave it no room
        figure.legend(frameon=False, loc="outside right upper")
    figure.savefig(path, dpi=130, format="png")


def study(values: dict[str, list[float]], measure: str, path: Path) -> None:
    """Draw the errors of each arm's runs, in percent, with mean and standard deviation, into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 1.2 + 0.45 * len(values)), layout="constrained")
    axes = figure.subplots()
    for row, (name, errors) in enumerate(values.items()):
        spread = np.std(errors, ddof=1) if len(errors) > 1 else 0
        axes.errorbar(np.mean(errors), row, xerr=spread, fmt="o", color=f"C{row}", capsize=4, markersize=7, label=name)
        axes.plot(errors, [row + 0.2] * len(errors), ".", color=f"C{row}", alpha=0.6)
    axes.set_yticks(range(len(values)), values)
    axes.invert_yaxis()
    axes.set_xlabel(f"{measure} (%)")
    axes.grid(alpha=0.3, axis="x")
    figure.savefig(path, dpi=130, format="png")


def scaling(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Draw efficiency in percent over the number of accelerators into a PNG file; ``curves`` holds points by name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        counts, efficiencies = zip(*points, strict=True)
        axes.semilogx(counts, efficiencies, "o-", base=2, label=name)
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set_ylim(0, 105)
    axes.set_xlabel("accelerators")
    axes.set_ylabel("images/s of perfect scaling (%)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    figure.savefig(path, dpi=110, format="png")


def rates(groups: dict[str, dict[str, float]], unit: str, path: Path) -> None:
    """Draw rates by group and name as bars, each group on its own scale, into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.6 + 0.3 * sum(map(len, groups.values())) + 0.3 * len(groups)), layout="constrained")
    heights = [len(group) for group in groups.values()]
    colors = {name: f"C{number}" for number, name in enumerate(dict.fromkeys(chain.from_iterable(groups.values())))}
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (title, group) in zip(panels, groups.items(), strict=True):
        bars = axes.barh(list(group), list(group.values()), color=[colors[name] for name in group])
        axes.bar_label(bars, fmt="%.1f", padding=3)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_title(f"{title}, {unit}", fontsize="medium", loc="left")
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    figure.savefig(path, dpi=110, format="png")


def photo_sizes(heights: Sequence[int], widths: Sequence[int], file: Any) -> None:
    """Heights over widths of photos, in pixels, on logarithmic axes, as a PNG written to ``file``, a path or stream."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.loglog(widths, heights, "o", markersize=4, alpha=max(0.05, min(0.6, 100 / max(1, len(widths)))))
    axes.set_xlabel("width (pixels)")
    axes.set_ylabel("height (pixels)")
    ends = max(1, min(*widths, *heights)) / 1.5, 1.5 * max(*widths, *heights)
    axes.set(xlim=ends, ylim=ends)
    axes.plot(ends, ends, color="grey", linewidth=0.8)
    axes.set_aspect("equal")
    axes.grid(alpha=0.3)
    figure.savefig(file, dpi=110, format="png")


def confusion(matrix: np.ndarray, names: list[str], path: Path) -> None:
    """Draw a confusion matrix into a PNG file; colours are shares of a row's photos, and named classes have counts.

    Args:
        matrix: counts ``[classes, classes]``; rows are true classes, columns are answers.
        names: class names; empty to leave them out.
        path: the file to write.
    """
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    classes = len(matrix)
    side = 2.2 + 0.42 * len(names) if names else 8
    figure = Figure(figsize=(side + 1, side))
    axes = figure.subplots()
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    figure.colorbar(drawn, label="% of the photos of the true class")
    axes.set(xlabel="answer", ylabel="true class")
    if not names:
        axes.set(xticks=[], yticks=[], title=f"{classes:,} classes, similar ones together")
    else:
        letters = FontProperties(fname=font_file("".join(names)))
        axes.set_xticks(range(classes), map(_literal, names), rotation=90, fontproperties=letters)
        axes.set_yticks(range(classes), map(_literal, names), fontproperties=letters)
        for row, column in np.argwhere(matrix):
            color = "white" if shares[row, column] > 50 else "black"
            text = f"{matrix[row, column]:,}"
            axes.text(column, row, text, color=color, fontsize=8, ha="center", va="center", parse_math=False)
    figure.savefig(path, dpi=110, format="png", bbox_inches="tight")


def _literal(name: str) -> str:
    """A class's name as matplotlib draws it as it is: between two dollar signs it would read a formula."""
    return name.replace("$", r"\$")


def reliability(bins: dict, path: Path) -> None:
    """Draw reliability diagrams (Guo et al. 2017, Fig. 1) side by side into a PNG file; ``bins`` has them by name."""
    from matplotlib.figure import Figure

    width = 4.2 * len(bins)  # inches
    figure = Figure(figsize=(width, 5))  # spaced here: matplotlib's own layout takes twice as long
    figure.subplots_adjust(0.65 / width, 0.1, 1 - 0.15 / width, 0.94, wspace=0.3, hspace=0.08)
    panels = figure.subplots(2, len(bins), squeeze=False, height_ratios=(3, 1), sharex=True)
    for (above, below), (name, values) in zip(panels.T, bins.items(), strict=True):
        width = 100 / len(values.counts)  # percent
        centers = width * (np.arange(len(values.counts)) + 0.5)
        above.bar(centers, 100 * np.nan_to_num(values.accuracy), width, edgecolor="white", label="right")
        above.plot([0, 100], [0, 100], "--", color="grey", linewidth=1)
        above.plot(
            100 * values.confidence, 100 * values.accuracy, "o", color="C1", markersize=4, label="mean confidence"
        )
        above.set_title(f"{name}: calibration error {values.error:.1f} %", fontsize="medium")  # larger is cut off
        above.set(ylabel="right answers (%)", ylim=(0, 100))
        above.legend(frameon=False, loc="upper left")
        below.bar(centers, 100 * values.counts / max(1, values.counts.sum()), width, color="C7", edgecolor="white")
        below.set(xlabel="probability of the answer (%)", ylabel="answers (%)", xlim=(0, 100))
    figure.savefig(path, dpi=110, format="png")


def precision_recall(recalls: np.ndarray, curves: dict[str, np.ndarray], path: Path) -> None:
    """Draw precision over recall, both in percent, of each class by its name, into a PNG file."""
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for name, precision in curves.items():
        axes.plot(recalls, precision, label=_literal(name))
    axes.set(xlabel="recall (% of the objects)", ylabel="precision (% of the boxes)", xlim=(0, 100), ylim=(0, 103))
    axes.grid(alpha=0.3)
    if curves:
        axes.legend(frameon=False, prop=FontProperties(fname=font_file("".join(curves)), size=7))
    figure.savefig(path, dpi=110, format="png")


def detection_curves(rows: list[dict], losses: tuple[str, ...], scores: tuple[str, ...], path: Path) -> None:
    """Draw the parts of the training loss, and validation scores in percent, over steps, into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, split, names, factor in ((left, "train", losses, 1), (right, "validation", scores, 100)):
        for name in names:
            points = [(row["step"], factor * row[name]) for row in rows if row["split"] == split and name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o" if len(points) == 1 else None, label=name)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False) if axes.lines else None
    left.set_ylabel("training loss")
    left.set_ylim(bottom=0)
    right.set_ylabel("validation (%)")
    right.set_ylim(0, 103)
    figure.savefig(path, dpi=130, format="png")


@dataclass(frozen=True)
class Panel:
    """One pair of axes of :func:`panels`.

    Fields:
        title, x_label, y_label: the texts beside the axes.
        curves: y values, or (x, y), of each curve by name; without x values, they count from 0.
        log: whether the y axis is logarithmic.
        style: matplotlib's style of all curves, such as ``"-"`` or ``"o"``.
        ticks: names of the x values.
    """

    title: str
    x_label: str
    y_label: str
    curves: dict
    log: bool = False
    style: str = "-"
    ticks: list[str] = field(default_factory=list)


def panels(drawn: list[Panel], path: Path) -> None:
    """Draw the panels, two to a row, into a PNG file; a name has the same colour in all of them."""
    from matplotlib.figure import Figure

    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = Figure(figsize=(6 * columns, 3.8 * rows), layout="constrained")
    names = list(dict.fromkeys(name for panel in drawn for name in panel.curves))
    for axes in figure.subplots(rows, columns, squeeze=False).flat[len(drawn) :]:
        axes.set_axis_off()
    for axes, panel in zip(figure.axes, drawn, strict=False):
        for name, curve in panel.curves.items():
            x, y = curve if isinstance(curve, tuple) else (range(len(curve)), curve)
            axes.plot(x, y, panel.style, color=f"C{names.index(name) % 10}", label=name, markersize=4)
        if panel.log and any((np.asarray(line.get_ydata()) > 0).any() for line in axes.lines):
            axes.set_yscale("log")
        if panel.ticks:
            axes.set_xticks(range(len(panel.ticks)), panel.ticks, rotation=90, fontsize=6)
        axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
        axes.grid(alpha=0.3)
        if len(panel.curves) > 1:
            axes.legend(frameon=False, fontsize=7)
    figure.savefig(path, dpi=110, format="png")


def contour(distances: np.ndarray, losses: np.ndarray, title: str, path: Path) -> None:
    """Draw a loss surface ``[n, n]`` over ``distances`` ``[n]`` along two directions as contours into a PNG file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 4.6), layout="constrained")
    axes = figure.subplots()
    drawn = axes.contourf(distances, distances, np.log10(np.maximum(losses, 1e-6)).T, levels=20, cmap="viridis")
    figure.colorbar(drawn, label="log10 of the loss")
    axes.set(title=title, xlabel="first direction", ylabel="second direction")
    figure.savefig(path, dpi=110, format="png")
