"""Where annotation files in COCO's format lie beside their images: one's own, COCO's archives, and tools' exports."""

import os
from pathlib import Path

Layout = tuple[str, str]  # an annotation file and the folder below which its images are
LAYOUTS: dict[str, tuple[Layout, ...]] = {  # of each part; the first that exists is taken
    "train": (
        ("train.json", "train"),
        ("annotations/instances_train2014.json", "train2014"),
        ("annotations/instances_train2017.json", "train2017"),
        ("instances.json", "images"),
        ("annotations/instances_Train.json", "images/Train"),  # CVAT: of a project's subset
        ("annotations/instances_train.json", "images/train"),
        ("annotations/instances_default.json", "images/default"),  # CVAT: of a task
        ("annotations/instances_default.json", "images"),
        ("result.json", "."),  # Label Studio: it names images/...
        ("train/_annotations.coco.json", "train"),  # Roboflow
    ),
    "val": (
        ("val.json", "val"),
        ("annotations/instances_val2014.json", "val2014"),
        ("annotations/instances_val2017.json", "val2017"),
        ("annotations/instances_Validation.json", "images/Validation"),
        ("annotations/instances_val.json", "images/val"),
        ("valid/_annotations.coco.json", "valid"),
    ),
    "test": (
        ("test.json", "test"),
        ("annotations/image_info_test-dev2015.json", "test2015"),
        ("annotations/image_info_test-dev2017.json", "test2017"),
        ("annotations/instances_Test.json", "images/Test"),
        ("annotations/instances_test.json", "images/test"),
        ("test/_annotations.coco.json", "test"),
    ),
}
SHOWN = ", ".join(f"{file} with {images}/" for file, images in LAYOUTS["train"][:4])


def coco_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    """The annotation file and the image folder of each part that exists, by ``"train"``, ``"val"`` and ``"test"``."""
    files = {}
    for part, layouts in LAYOUTS.items():
        existing = [(folder / file, folder / images) for file, images in layouts if os.path.lexists(folder / file)]
        with_images = [pair for pair in existing if os.path.isdir(pair[1])]
        if existing:
            files[part] = (with_images or existing)[0]
    return files
