"""Pictures of a page: those that a run has left in its folder, and those drawn for the page."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnet.data.viewing import JPEG, PNG
from keras_resnet.files import is_own_file
from keras_resnet.reporting.markup import figure, fragment

if TYPE_CHECKING:
    from markupsafe import Markup

KINDS = {PNG: "png", JPEG: "jpeg"}  # of pictures, by their first bytes


def stored_figures(folder: Path, names: dict[str, str]) -> "Markup":
    """Those of the files ``names`` that are pictures in ``folder``, side by side, each with its caption.

    Links are left out, and files of other content, which a page that is passed on would carry with it.
    """
    contents = {name: (folder / name).read_bytes() for name in names if is_own_file(folder / name)}
    figures = [
        figure(content, names[name], kind)
        for name, content in contents.items()
        for begin, kind in KINDS.items()
        if content.startswith(begin)
    ]
    return fragment("side_by_side", figures)


def drawn(draw: Callable[[Path], None]) -> bytes:
    """The PNG file that ``draw`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "figure.png")
        return (Path(folder) / "figure.png").read_bytes()
