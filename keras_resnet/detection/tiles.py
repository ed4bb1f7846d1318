"""Large pictures in overlapping tiles, so that small things are seen at a larger size."""

import itertools
import math

import numpy as np

from keras_resnet.detection.boxes import Detections

OVERLAP = 0.25  # of neighboring tiles, as a share of their side: smaller objects are whole in one of them
BORDER = 0.02  # of a tile's side: a box that comes so near to a border inside the picture may be cut there


def tiles_of(width: int, height: int, side: int | None) -> list[tuple[int, int, int, int]]:
    """The tiles of a picture: the whole picture, and if that is larger than ``side``, squares that cover it.

    Neighboring squares overlap by at least a quarter of their side. The whole picture is for objects that are larger
    than that.

    Args:
        width, height: of the picture in pixels.
        side: of the squares in pixels; None for the whole picture alone.

    Returns:
        ``left, top, right, bottom`` of each in pixels, the whole picture first.
    """
    whole = (0, 0, width, height)
    if side is None or max(width, height) <= side:
        return [whole]
    columns, rows = _starts(width, side), _starts(height, side)
    squares = [
        (left, top, min(left + side, width), min(top + side, height)) for top, left in itertools.product(rows, columns)
    ]
    return [whole, *squares]


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin along one side, evenly spaced."""
    if length <= side:
        return [0]
    overlap = math.ceil(side * OVERLAP)
    count = math.ceil((length - overlap) / (side - overlap))
    return [round(number * (length - side) / (count - 1)) for number in range(count)]


def whole_objects(detections: Detections, tile: tuple[int, int, int, int], width: int, height: int) -> Detections:
    """The detections in a tile that are not cut by its border, in pixels of the picture.

    A box that reaches a border of the tile inside the picture is left out: what it shows is whole in the neighboring
    tile or, if it is larger than the overlap, in the whole picture.

    Args:
        detections: in pixels of the tile.
        tile: as :func:`tiles_of` returns it.
        width, height: of the picture in pixels.
    """
    left, top, right, bottom = tile
    boxes = detections.boxes + np.array([left, top, left, top])
    border = BORDER * max(right - left, bottom - top)
    near = np.abs(boxes - tile) <= border
    inside = np.array([left > 0, top > 0, right < width, bottom < height])
    return Detections(boxes, detections.classes, detections.scores).select(~(near & inside).any(axis=1))
