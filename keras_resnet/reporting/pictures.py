"""Pictures of a page: those that a run has left in its folder, and those drawn for the page."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnet.reporting.markup import figure, fragment

if TYPE_CHECKING:
    from markupsafe import Markup


def stored_figures(folder: Path, names: dict[str, str]) -> "Markup":
    """Those of the PNG files ``names`` that are in ``folder``, side by side, each with its caption."""
    figures = [figure((folder / n).read_bytes(), text) for n, text in names.items() if (folder / n).exists()]
    return fragment("side_by_side", figures)


def drawn(draw: Callable[[Path], None]) -> bytes:
    """The PNG file that ``draw`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "figure.png")
        return (Path(folder) / "figure.png").read_bytes()
