"""Detectors from their files."""

from pathlib import Path

from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model


def load_detector(path: str | Path) -> FasterRCNN:
    """The detector saved in a ``.keras`` file.

    Raises:
        InputError: the file is missing, damaged, or of something else.
    """
    if not str(path).endswith(".keras"):
        raise InputError(f"A detector comes from a .keras file, as recipes/coco.py writes them, not from {path}.")
    model = load_model(path)
    if not isinstance(model, FasterRCNN):
        raise InputError(f"{path} holds no detector: recipes/coco.py makes one from it with --model {path}.")
    return model
