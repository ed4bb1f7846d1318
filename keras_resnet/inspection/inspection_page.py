"""An inspection as one HTML page and as JSON."""

import datetime
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from keras_resnet.files import check_replaceable, write_text
from keras_resnet.reporting.markup import document, fragment, html_list

if TYPE_CHECKING:
    from markupsafe import Markup

QUALITY = 82  # of the JPEGs in a page


@dataclass(frozen=True)
class Inspection:
    """What was found in a data set.

    Fields:
        name: of the data set.
        summary: one sentence: how many photos of how many classes.
        advice: sentences, each what was found and what to do about it, the most important first.
        content: all of it as plain values.
        sections: of the page: name, title and HTML of each.
    """

    name: str
    summary: str
    advice: Sequence[str]
    content: dict[str, Any]
    sections: "Sequence[tuple[str, str, Markup]]"


def write_inspection(inspection: Inspection, page: Path) -> Path:
    """Write ``page``, an HTML file, and the JSON file beside it, whose path is returned."""
    nothing = fragment("paragraph", "Nothing was found that needs to be put right.")
    words = html_list(inspection.advice) if inspection.advice else nothing
    sections = [("advice", "What to do", words), *inspection.sections]
    today = datetime.date.today().isoformat()
    text = document(f"The photos of {inspection.name}", f"{inspection.summary} {today}.", sections)
    content = {"name": inspection.name, "summary": inspection.summary, "advice": list(inspection.advice)}
    content |= inspection.content
    data = data_beside(page)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_text(page, text)
    write_text(data, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return data


def data_beside(page: Path) -> Path:
    """The JSON file of the inspection that ``page`` shows; raises :class:`InputError` if it is of something else."""
    data = page.with_suffix(".json")
    check_replaceable(data, '{\n "name": ')
    return data


def jpeg(rows: Sequence[Sequence[Image.Image]], side: int) -> bytes:
    """Rows of pictures, each in the middle of a square of ``side`` pixels, as one JPEG file."""
    gap = 4
    sheet = Image.new("RGB", (max(map(len, rows)) * (side + gap), len(rows) * (side + gap)), "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            small = picture.copy()
            small.thumbnail((side, side))
            corner = ((side - small.width) // 2, (side - small.height) // 2)
            sheet.paste(small, (x * (side + gap) + corner[0], y * (side + gap) + corner[1]))
    return encoded(sheet)


def encoded(picture: Image.Image | np.ndarray) -> bytes:
    """A picture as the bytes of a JPEG file."""
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
