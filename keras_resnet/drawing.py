"""Pictures made of photos: side by side, with names, boxes or activation maps."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PHOTOS_IN_A_ROW = 4
CELL, GAP, LETTERS = 220, 6, 13  # pixels: a photo's square in a grid, what is between two of them, and its words
BOX_COLORS = (
    *("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#800000", "#808000", "#000075"),
)
MAP_WEIGHT = 0.6  # of an activation map in its picture, beside the photo
MIN_DRAWN = 400  # pixels along the longer side of a picture with boxes, so that names can be read
BLANK = np.full((1, 1, 3), 255, np.uint8)  # stands in a grid where there is no photo


def photo_grid(images: Sequence[np.ndarray], titles: list[str], in_a_row: int = PHOTOS_IN_A_ROW) -> np.ndarray:
    """A picture of the photos in rows under their titles; all uint8 ``[height, width, 3]``."""
    rows, lines = -(-len(images) // in_a_row), 1 + max((title.count("\n") for title in titles), default=0)
    words = lines * round(1.3 * LETTERS) + GAP
    picture = Image.new("RGB", (in_a_row * (CELL + GAP) + GAP, rows * (words + CELL + GAP)), "white")
    draw = ImageDraw.Draw(picture)
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(number, in_a_row)
        left, top = GAP + column * (CELL + GAP), row * (words + CELL + GAP) + words
        factor = CELL / max(image.shape[:2])
        size = [max(1, round(factor * side)) for side in image.shape[1::-1]]
        smooth = Image.Resampling.BOX if factor < 1 else Image.Resampling.NEAREST
        picture.paste(
            Image.fromarray(image).resize(size, smooth), (left + (CELL - size[0]) // 2, top + (CELL - size[1]) // 2)
        )
        letters = font(title, LETTERS)
        short = "\n".join(_within(line, letters) for line in title.split("\n"))
        place = (left + CELL // 2, top - GAP // 2)
        draw.multiline_text(place, short, fill="black", font=letters, anchor="md", align="center")
    return np.asarray(picture)


def _within(line: str, letters: ImageFont.FreeTypeFont) -> str:
    """As much of a line as a cell is wide."""
    if letters.getlength(line) <= CELL:
        return line
    while letters.getlength(f"{line}…") > CELL:
        line = line[:-1]
    return f"{line}…"


def heat(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A photo under its activation map: bright where the map is largest, dark where it is not positive.

    Args:
        image: uint8 ``[height, width, 3]``.
        values: float ``[rows, columns]``, scaled to the whole photo; the largest value has the brightest colour.

    Returns:
        uint8 ``[height, width, 3]``.
    """
    import matplotlib

    stretched = Image.fromarray(np.asarray(values, np.float32)).resize(image.shape[1::-1], Image.Resampling.BICUBIC)
    positive = np.maximum(np.asarray(stretched), 0)
    colours = matplotlib.colormaps["inferno"](positive / (positive.max() or 1))[..., :3]
    grey = image.mean(axis=-1, keepdims=True) / 255
    return (255 * ((1 - MAP_WEIGHT) * grey + MAP_WEIGHT * colours)).round().astype(np.uint8)


def boxes(
    image: np.ndarray, corners: np.ndarray, names: list[str], classes: Sequence[int] | np.ndarray | None = None
) -> np.ndarray:
    """A copy of ``image``, uint8 ``[height, width, 3]``, with boxes and their names, in one colour per class.

    ``corners`` ``[n, 4]`` holds x1, y1, x2, y2 in pixels. Images smaller than 400 pixels are enlarged.
    """
    scale = max(1, round(MIN_DRAWN / max(image.shape[:2])))
    picture = Image.fromarray(image).resize((image.shape[1] * scale, image.shape[0] * scale))
    draw, letters = ImageDraw.Draw(picture), font("".join(names), max(12, max(picture.size) // 50))
    for place in reversed(range(len(corners))):  # the best on top
        color = BOX_COLORS[(place if classes is None else int(classes[place])) % len(BOX_COLORS)]
        x1, y1, x2, y2 = (scale * float(corner) for corner in corners[place])
        draw.rectangle([x1, y1, max(x1, x2), max(y1, y2)], outline=color, width=max(2, max(picture.size) // 300))
        left, top, right, bottom = draw.textbbox((x1 + 2, max(0, y1)), names[place], font=letters)
        draw.rectangle([left - 2, top - 1, right + 2, bottom + 1], fill=color)
        draw.text((x1 + 2, max(0, y1)), names[place], fill="white", font=letters)
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


def font(text: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of ``size`` pixels with the letters of ``text``."""
    return ImageFont.truetype(font_file(text), size)


def font_file(text: str) -> str:
    """The file of DejaVu Sans, or of the installed font that lacks the fewest letters of ``text``, in any script."""
    lacking = frozenset(text) - _letters(_usual_font()) - set("\n\t")
    return _font_with(lacking) if lacking else _usual_font()


@functools.cache
def _font_with(letters: frozenset[str]) -> str:
    from matplotlib.font_manager import findSystemFonts

    return min([_usual_font(), *sorted(findSystemFonts())], key=lambda file: len(letters - _letters(file)))


@functools.cache
def _letters(file: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(file).get_charmap()))
    except (OSError, RuntimeError):  # not a font that matplotlib reads
        return frozenset()


@functools.cache
def _usual_font() -> str:
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
