"""The built-in demo set: ten shapes, rendered as JPEGs at first use; learned in minutes, but not by linear classifiers.

Position, scale, rotation, colours, background and clutter are drawn independently of the class.
"""

import math
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_resnet.data.cache import cache_folder
from keras_resnet.errors import InputError

VERSION = 2  # changed pictures need a new folder
SIZES = {"train": 3000, "val": 1000}
FIRST_SEED = {"train": 0, "val": 1_000_000}  # the two splits share no seeds
SIDES = (96, 160)
QUALITIES = (70, 96)
SUPERSAMPLING = 2
BACKGROUND, SHAPE = (0, 120), (130, 256)  # levels of each colour: a shape is lighter than its background


def _arc(center, radius, start, end, points=48):
    angles = np.linspace(start, end, points)
    return [(center[0] + radius * math.cos(a), center[1] + radius * math.sin(a)) for a in angles]


def _regular(points, inner=None):
    """A regular polygon on the unit circle, or a star whose inner corners lie at radius ``inner``."""
    count = points if inner is None else 2 * points
    radii = [1.0 if inner is None or i % 2 == 0 else inner for i in range(count)]
    turn = 2 * math.pi / count
    return [(r * math.sin(i * turn), -r * math.cos(i * turn)) for i, r in enumerate(radii)]


def _heart():
    t = np.linspace(0, 2 * math.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return list(zip(x / 17, -y / 17, strict=True))


_HALF, _THIRD = 0.42, 0.34
OUTLINES = {  # within the unit circle; a ring is a single closed line that runs around its hole too
    "arrow": [(0, -1), (0.8, -0.1), (0.3, -0.1), (0.3, 1), (-0.3, 1), (-0.3, -0.1), (-0.8, -0.1)],
    "circle": _arc((0, 0), 0.9, 0, 2 * math.pi),
    "crescent": _arc((0, 0), 1, 0.9, 2 * math.pi - 0.9) + _arc((0.45, 0), 0.8, 2 * math.pi - 1.35, 1.35),
    "cross": [(-_THIRD, -1), (_THIRD, -1), (_THIRD, -_THIRD), (1, -_THIRD), (1, _THIRD), (_THIRD, _THIRD),
              (_THIRD, 1), (-_THIRD, 1), (-_THIRD, _THIRD), (-1, _THIRD), (-1, -_THIRD), (-_THIRD, -_THIRD)],
    "heart": _heart(),
    "hourglass": [(-0.8, -0.95), (0.8, -0.95), (0.12, 0), (0.8, 0.95), (-0.8, 0.95), (-0.12, 0)],
    "ring": _arc((0, 0), 1, 0, 2 * math.pi) + _arc((0, 0), 0.55, 2 * math.pi, 0),
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "star": _regular(5, _HALF),
    "triangle": _regular(3),
}  # fmt: skip
CLASSES = tuple(sorted(OUTLINES))


def render(label: int, seed: int) -> Image.Image:
    """An RGB picture of class ``label`` with sides of 96 to 160 pixels; equal (label, seed) give equal pixels."""
    rng = np.random.default_rng([VERSION, seed])
    width, height = (int(n) for n in rng.integers(*SIDES, size=2, endpoint=True))
    size = np.array([width, height]) * SUPERSAMPLING
    back = rng.integers(*BACKGROUND, 3)
    picture = background(rng, back, size)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(4, 12)):
        clutter(rng, draw, size)
    radius = rng.uniform(0.22, 0.36) * size.min()
    center = size / 2 + rng.uniform(-0.14, 0.14, 2) * size
    turn = rng.uniform(-0.6, 0.6)
    stretch = rng.uniform(0.85, 1.15)
    corners = outline(label, center, radius, turn, stretch)
    draw.polygon([tuple(corner) for corner in corners], fill=color(rng, SHAPE))
    for _ in range(rng.integers(1, 4)):
        clutter(rng, draw, size, thin=True)
    return picture.resize((width, height), Image.Resampling.BOX)


def outline(label: int, center: np.ndarray, radius: float, turn: float, stretch: float) -> np.ndarray:
    """Corners ``[n, 2]`` (x, y) of the shape of class ``label``, in pixels; ``turn`` is in radians."""
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return (np.array(OUTLINES[CLASSES[label]]) * [stretch, 1 / stretch]) @ rotation.T * radius + center


def background(rng: np.random.Generator, mean: np.ndarray, size: np.ndarray) -> Image.Image:
    """A smooth random texture of ``size`` (width, height) around the colour ``mean``."""
    grid = np.clip(mean + rng.normal(0, 28, (rng.integers(3, 9), rng.integers(3, 9), 3)), 0, 255)
    return Image.fromarray(grid.astype(np.uint8)).resize(tuple(size.tolist()), Image.Resampling.BICUBIC)


def color(rng: np.random.Generator, levels: tuple[int, int]) -> tuple[int, ...]:
    """A random colour with levels in a range."""
    return tuple(rng.integers(*levels, 3).tolist())


def clutter(rng: np.random.Generator, draw: ImageDraw.ImageDraw, size: np.ndarray, thin: bool = False) -> None:
    """Draw a small blob or bar, or a thin line, anywhere in the picture."""
    at = rng.uniform(0, 1, 2) * size
    reach = rng.uniform(0.02, 0.09, 2) * size.min()
    fill = color(rng, (0, 256))
    kind = rng.integers(3)
    if thin or kind == 0:
        end = at + rng.normal(0, 0.3, 2) * size
        draw.line([tuple(at), tuple(end)], fill=fill, width=int(rng.integers(1, 3)) * SUPERSAMPLING)
    elif kind == 1:
        draw.ellipse([*(at - reach), *(at + reach)], fill=fill)
    else:
        draw.rectangle([*(at - reach), *(at + reach)], fill=fill)


def folder() -> Path:
    """The folder of the demo set, ``train/<class>/*.jpg`` and ``val/<class>/*.jpg``, rendered at first use."""
    return rendered_once(f"demo-v{VERSION}", write)


def rendered_once(name: str, write: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache, filled by ``write`` if it does not exist yet; whole or absent."""
    target = cache_folder() / name
    if os.path.isdir(target):  # False if the cache cannot be entered
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="demo-", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"The demo set cannot be made in {target.parent} ({error.strerror}): point XDG_CACHE_HOME elsewhere."
        ) from error
    try:
        print(f"rendering the demo set into {target}", flush=True)
        write(part)
        os.rename(part, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def write(target: Path, sizes: dict[str, int] = SIZES) -> None:
    """Render ``sizes`` images of each split under ``target``, with equally many of each class."""
    jobs = []
    for split, count in sizes.items():
        for name in CLASSES:
            (target / split / name).mkdir(parents=True)
        for i in range(count):
            label, seed = i % len(CLASSES), FIRST_SEED[split] + i
            jobs.append((target / split / CLASSES[label] / f"{seed:07d}.jpg", label, seed))

    def save(job):
        path, label, seed = job
        quality = int(np.random.default_rng([VERSION, seed, 1]).integers(*QUALITIES))
        render(label, seed).save(path, quality=quality)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(save, jobs))
