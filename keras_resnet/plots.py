"""All figures of this package."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

FIG6_LIMIT = 20  # percent: the upper end of the vertical axis of the paper's Fig. 6
PHOTOS_IN_A_ROW = 4
BOX_COLORS = (
    *("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075"),
)
MIN_DRAWN = 400  # pixels along the longer side of a picture with boxes, so that names can be read


def error_curves(runs: dict[str, list[dict]], path: Path) -> None:
    """Draw training (thin, dashed) and validation (bold) error over steps, as in Fig. 6, into a PNG file.

    Args:
        runs: the rows of each run's ``metrics.csv``, by the run's name.
        path: the file to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    highest = FIG6_LIMIT
    for number, (name, rows) in enumerate(runs.items()):
        for split, style in (("train", {"linestyle": "--", "linewidth": 1}), ("validation", {"linewidth": 2.2})):
            points = [(row["step"], row["error"]) for row in rows if row["split"] == split]
            if points:
                marker = "o" if len(points) == 1 else None
                axes.plot(
                    *zip(*points, strict=True), color=f"C{number}", marker=marker, label=f"{name} {split}", **style
                )
                highest = max(highest, sorted(error for _, error in points)[-max(1, len(points) // 10)])
    axes.set_xlabel("step")
    axes.set_ylabel("error (%)")
    axes.set_ylim(0, min(100, highest * 1.1))
    axes.grid(alpha=0.3)
    if runs and any(runs.values()):
        axes.legend(frameon=False)
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


def photo_grid(images: Sequence[np.ndarray], titles: list[str]) -> np.ndarray:
    """A picture of the photos, four to a row under their titles; all uint8 ``[height, width, 3]``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(images) // PHOTOS_IN_A_ROW)
    figure = Figure(figsize=(2 * PHOTOS_IN_A_ROW, 2.3 * rows), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes in figure.subplots(rows, PHOTOS_IN_A_ROW, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image, title in zip(figure.axes, images, titles, strict=False):
        axes.imshow(image, interpolation="nearest")
        axes.set_title(title, fontsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def boxes(
    image: np.ndarray, corners: np.ndarray, names: list[str], classes: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """A copy of ``image``, uint8 ``[height, width, 3]``, with boxes and their names, in one colour per class.

    ``corners`` ``[n, 4]`` holds x1, y1, x2, y2 in pixels. Images smaller than 400 pixels are enlarged.
    """
    from PIL import Image, ImageDraw, ImageFont

    scale = max(1, round(MIN_DRAWN / max(image.shape[:2])))
    picture = Image.fromarray(image).resize((image.shape[1] * scale, image.shape[0] * scale))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(max(12, max(picture.size) // 50))
    for place in reversed(range(len(corners))):  # the best on top
        color = BOX_COLORS[(place if classes is None else int(classes[place])) % len(BOX_COLORS)]
        x1, y1, x2, y2 = (scale * float(corner) for corner in corners[place])
        draw.rectangle([x1, y1, max(x1, x2), max(y1, y2)], outline=color, width=max(2, max(picture.size) // 300))
        left, top, right, bottom = draw.textbbox((x1 + 2, max(0, y1)), names[place], font=font)
        draw.rectangle([left - 2, top - 1, right + 2, bottom + 1], fill=color)
        draw.text((x1 + 2, max(0, y1)), names[place], fill="white", font=font)
    return np.asarray(picture)


def tiled(images: list[np.ndarray]) -> np.ndarray:
    """A picture of the images, which may differ in size, four to a row on white: uint8 ``[height, width, 3]``."""
    height, width = (max(image.shape[side] for image in images) for side in (0, 1))
    rows = -(-len(images) // PHOTOS_IN_A_ROW)
    sheet = np.full((rows * height, min(len(images), PHOTOS_IN_A_ROW) * width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        row, column = divmod(number, PHOTOS_IN_A_ROW)
        sheet[row * height :, column * width :][: image.shape[0], : image.shape[1]] = image
    return sheet


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
