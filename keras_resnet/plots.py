"""Every figure the project draws."""

from pathlib import Path

FIG6_LIMIT = 20  # percent: where the paper's Fig. 6 cuts its vertical axis
PHOTOS_IN_A_ROW = 4


def error_curves(runs: dict[str, list[dict]], path: Path) -> None:
    """Training (thin, dashed) and validation (bold) error over steps, as Fig. 6, into a PNG file.

    Args:
        runs: name to the rows of a run's ``metrics.csv``.
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


def scaling(curves: dict[str, list[tuple[int, float]]], path: Path) -> None:
    """Efficiency in percent over the number of accelerators, into a PNG file; ``curves`` by name, as points."""
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


def photo_grid(images, titles: list[str]):
    """Photos, uint8 ``[count, height, width, 3]``, four in a row under their titles: uint8 ``[height, width, 3]``."""
    import numpy as np
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
