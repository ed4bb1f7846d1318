"""Where localization data comes from: ILSVRC's folders, any detection data, or the built-in demo set."""

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path

from keras_resnet.data import demo
from keras_resnet.data.tfds_source import open_builder
from keras_resnet.detection.data import rendered_scenes
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.detection_sets import DetectionSets, open_coco_sets
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.data.tfds_data import open_tfds_detection
from keras_resnet.localization.loc_data import open_loc
from keras_resnet.localization.one_class import one_class

DEMO_RADII = (0.18, 0.36)  # of the one object, in shares of the shorter side; clutter reaches 0.09
TFDS_NAME = re.compile(r"[a-z]\w*(/[\w.-]+)?")  # as voc/2007
TFDS_PARTS = {"train": "train", "val": "validation", "test": "test"}


def open_localization_sets(data: str, data_dir: Path | None = None) -> DetectionSets:
    """``"demo"``, ILSVRC's localization folder, a folder in COCO's layout, or a TFDS data set with boxes.

    Each photo has one class, that of its largest object where there are several.

    Raises:
        InputError: nothing of the kind is there, or it cannot be read.
    """
    if data == "demo":
        return DetectionSets("demo", {part: functools.partial(_open_demo, part) for part in rendered_scenes.SIZES})
    folder = Path(os.path.expanduser(data))
    root = folder / "ILSVRC" if (folder / "ILSVRC").is_dir() else folder
    photos = root / "Data" / "CLS-LOC"
    if photos.is_dir():
        parts = [part for part in ("train", "val", "test") if (photos / part).is_dir()]
        return DetectionSets(folder.name, {part: functools.partial(open_loc, folder, part) for part in parts})
    if TFDS_NAME.fullmatch(data) and not os.path.lexists(folder):
        return _tfds_sets(data, data_dir)
    whole = open_coco_sets(data, data_dir)
    return DetectionSets(
        whole.name, {part: functools.partial(_reduced, opener) for part, opener in whole.openers.items()}
    )


def _tfds_sets(name: str, data_dir: Path | None) -> DetectionSets:
    splits = open_builder(name, data_dir, "--data demo, or a folder of ILSVRC's or in COCO's layout").info.splits
    parts = {part: split for part, split in TFDS_PARTS.items() if split in splits}
    openers = {part: functools.partial(open_tfds_detection, name, split, data_dir) for part, split in parts.items()}
    return DetectionSets(name, {part: functools.partial(_reduced, opener) for part, opener in openers.items()})


def _reduced(opener: Callable[[], DetectionData]) -> DetectionData:
    return one_class(opener())


def _open_demo(part: str) -> DetectionData:
    """Scenes with one shape among clutter; all parts are rendered if they are not there yet."""
    draw = functools.partial(rendered_scenes.render, objects=(1, 1), radii=(DEMO_RADII,))
    name = f"localization-demo-v{rendered_scenes.VERSION}"
    folder = demo.rendered_once(name, lambda target: rendered_scenes.write(target, draw=draw))
    return one_class(open_coco(folder / f"{part}.json", folder / part))
