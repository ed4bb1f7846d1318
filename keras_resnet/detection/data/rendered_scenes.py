"""The built-in detection set: the classification demo's ten shapes among clutter, in COCO's format."""

import functools
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_resnet.data import demo
from keras_resnet.detection.boxes import Truths, iou
from keras_resnet.detection.data.coco_data import coco_entries, open_coco
from keras_resnet.detection.data.photos import DetectionData

VERSION = 1  # a change of the pictures needs a new folder
SIZES = {"train": 1500, "val": 300, "test": 300}  # options are chosen on val, reported scores are of test
FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
SIDES = (128, 192)  # pixels
OBJECTS = (1, 5)
RADII = (0.13, 0.28)  # as shares of the picture's shorter side; clutter is at most 0.09
SMALL_RADII = (0.05, 0.09)  # of the set of small objects, half of which are below 32 x 32 pixels
SETS = {"demo": (RADII,), "demo-small": (RADII, SMALL_RADII)}  # ranges that objects take in turns
MAX_OVERLAP = 0.05  # of two objects' boxes, so that none hides another
TRIES = 20
Draw = Callable[[int], tuple[Image.Image, np.ndarray, list[int]]]  # from a seed, as render


def render(
    seed: int, objects: tuple[int, int] = OBJECTS, radii: Sequence[tuple[float, float]] = (RADII,)
) -> tuple[Image.Image, np.ndarray, list[int]]:
    """A picture, its objects' boxes ``[objects, 4]`` and their classes, all functions of the arguments.

    Args:
        seed: of all that is random.
        objects: the least and the largest number of objects; there are fewer if they find no room.
        radii: the smallest and the largest radius of an object, as shares of the picture's shorter side; objects take
            several such ranges in turns.
    """
    rng = np.random.default_rng([VERSION, seed])
    width, height = (int(side) for side in rng.integers(*SIDES, size=2, endpoint=True))
    size = np.array([width, height]) * demo.SUPERSAMPLING
    picture = demo.background(rng, rng.integers(*demo.BACKGROUND, 3), size)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(6, 16)):
        demo.clutter(rng, draw, size)
    boxes: list[np.ndarray] = []
    labels: list[int] = []
    for number in range(rng.integers(*objects, endpoint=True)):
        _add_object(rng, draw, size, radii[(seed + number) % len(radii)], boxes, labels)
    for _ in range(rng.integers(1, 4)):
        demo.clutter(rng, draw, size, thin=True)
    corners = np.array(boxes).reshape(-1, 4) / demo.SUPERSAMPLING
    return picture.resize((width, height), Image.Resampling.BOX), corners, labels


def _add_object(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    size: np.ndarray,
    radii: tuple[float, float],
    boxes: list[np.ndarray],
    labels: list[int],
) -> None:
    """Draw one shape inside the picture and clear of the others, unless no such place is found in 20 tries."""
    for _ in range(TRIES):
        label = int(rng.integers(len(demo.CLASSES)))
        radius, center = rng.uniform(*radii) * size.min(), rng.uniform(0, 1, 2) * size
        corners = demo.outline(label, center, radius, rng.uniform(-0.6, 0.6), rng.uniform(0.85, 1.15))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        inside = (box[:2] >= 0).all() and (box[2:] <= size).all()
        if inside and (not boxes or iou(box[None], np.array(boxes)).max() <= MAX_OVERLAP):
            draw.polygon([tuple(corner) for corner in corners], fill=demo.color(rng, demo.SHAPE))
            boxes.append(box)
            labels.append(label)
            return


def open_demo(part: str, name: str = "demo") -> DetectionData:
    """``"train"``, ``"val"`` or ``"test"`` of a set of ``SETS``; the first call renders all three into the cache."""
    folder = demo.rendered_once(
        f"detection-{name}-v{VERSION}", functools.partial(write, draw=functools.partial(render, radii=SETS[name]))
    )
    return open_coco(folder / f"{part}.json", folder / part)


def write(target: Path, sizes: dict[str, int] = SIZES, draw: Draw = render) -> None:
    """Make so many pictures of each part with ``draw(seed)`` in ``target``, with their annotation files."""
    for part, count in sizes.items():
        folder = target / part
        folder.mkdir(parents=True)
        seeds = range(FIRST_SEED[part], FIRST_SEED[part] + count)

        def save(seed: int, folder: Path = folder) -> tuple[tuple[int, int], np.ndarray, list[int]]:
            picture, boxes, labels = draw(seed)
            picture.save(folder / f"{seed:07d}.jpg", quality=90)
            return picture.size, boxes, labels

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            scenes = list(zip(seeds, threads.map(save, seeds), strict=True))
        entries = (
            entry
            for seed, (_, boxes, labels) in scenes
            for entry in coco_entries(seed, Truths(boxes, np.array(labels)), range(1, len(demo.CLASSES) + 1))
        )
        content = {
            "images": [
                {"id": seed, "file_name": f"{seed:07d}.jpg", "width": width, "height": height}
                for seed, ((width, height), _, _) in scenes
            ],
            "categories": [{"id": number, "name": name} for number, name in enumerate(demo.CLASSES, start=1)],
            "annotations": [{"id": number, **entry} for number, entry in enumerate(entries, start=1)],
        }
        (target / f"{part}.json").write_text(json.dumps(content))
