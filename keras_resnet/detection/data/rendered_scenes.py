"""The built-in detection set: the classification demo's ten shapes among clutter, in COCO's format."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from keras_resnet.data import demo
from keras_resnet.detection.boxes import iou
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.photos import DetectionData

VERSION = 1  # a change of the pictures needs a new folder
SIZES = {"train": 1500, "val": 300, "test": 300}  # options are chosen on val, figures are of test
FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}
SIDES = (128, 192)
OBJECTS = (1, 5)
RADII = (0.13, 0.28)  # of the picture's shorter side; clutter reaches 0.09
LARGEST_OVERLAP = 0.05  # of two objects' boxes, so that none hides another
TRIES = 20


def render(
    seed: int, objects: tuple[int, int] = OBJECTS, radii: tuple[float, float] = RADII
) -> tuple[Image.Image, np.ndarray, list[int]]:
    """A picture, its objects' boxes ``[objects, 4]`` and their classes; the same seed gives the same.

    Args:
        seed: of everything that is drawn by chance.
        objects: the fewest and the most there may be; fewer where there is no room.
        radii: of an object, the smallest and the largest, in shares of the picture's shorter side.
    """
    rng = np.random.default_rng([VERSION, seed])
    width, height = (int(n) for n in rng.integers(*SIDES, size=2, endpoint=True))
    size = np.array([width, height]) * demo.SUPERSAMPLING
    picture = demo.background(rng, rng.integers(*demo.BACKGROUND, 3), size)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(6, 16)):
        demo.clutter(rng, draw, size)
    corners: list[tuple[float, ...]] = []
    labels: list[int] = []
    for _ in range(rng.integers(*objects, endpoint=True)):
        _add_object(rng, draw, size, radii, corners, labels)
    for _ in range(rng.integers(1, 4)):
        demo.clutter(rng, draw, size, thin=True)
    boxes = np.array(corners).reshape(-1, 4) / demo.SUPERSAMPLING
    return picture.resize((width, height), Image.Resampling.BOX), boxes, labels


def _add_object(rng, draw, size, radii, boxes, labels) -> None:
    """Draw one shape where it lies inside and clear of the others, if some tries find such a place."""
    for _ in range(TRIES):
        label = int(rng.integers(len(demo.CLASSES)))
        radius, center = rng.uniform(*radii) * size.min(), rng.uniform(0, 1, 2) * size
        corners = demo.outline(label, center, radius, rng.uniform(-0.6, 0.6), rng.uniform(0.85, 1.15))
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        inside = (box[:2] >= 0).all() and (box[2:] <= size).all()
        if inside and (not boxes or iou(box[None], np.array(boxes)).max() <= LARGEST_OVERLAP):
            draw.polygon([tuple(corner) for corner in corners], fill=demo.color(rng, demo.SHAPE))
            boxes.append(box)
            labels.append(label)
            return


def open_demo(split: str) -> DetectionData:
    """``train``, ``val`` or ``test``; all are rendered into the cache folder if they are not there yet."""
    folder = demo.rendered_once(f"detection-demo-v{VERSION}", write)
    return open_coco(folder / f"{split}.json", folder / split)


def write(target: Path, sizes: dict[str, int] = SIZES, draw: Callable = render) -> None:
    """Make ``sizes`` pictures of each split with ``draw(seed)`` under ``target``, beside its annotations."""
    for split, count in sizes.items():
        (target / split).mkdir(parents=True)
        seeds = range(FIRST_SEED[split], FIRST_SEED[split] + count)

        def save(seed, folder=target / split):
            picture, boxes, labels = draw(seed)
            picture.save(folder / f"{seed:07d}.jpg", quality=90)
            return picture.size, boxes, labels

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            found = list(threads.map(save, seeds))
        content = _annotations(seeds, found)
        (target / f"{split}.json").write_text(json.dumps(content))


def _annotations(seeds, found) -> dict:
    images: list[dict] = []
    annotations: list[dict] = []
    for seed, ((width, height), boxes, labels) in zip(seeds, found, strict=True):
        images.append({"id": seed, "file_name": f"{seed:07d}.jpg", "width": width, "height": height})
        for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels, strict=True):
            side = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, "image_id": seed, "category_id": label + 1, **side})
    categories = [{"id": i, "name": name} for i, name in enumerate(demo.CLASSES, start=1)]
    return {"images": images, "categories": categories, "annotations": annotations}
