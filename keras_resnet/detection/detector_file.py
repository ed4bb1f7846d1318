"""Loading detectors."""

from pathlib import Path

from keras_resnet.backends import needs_tensorflow
from keras_resnet.detection.faster_rcnn import FasterRCNN
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model


def load_detector(path: str | Path) -> FasterRCNN:
    """The detector in a ``.keras`` file.

    Raises:
        InputError: the file is missing or damaged, or holds another kind of model, or Keras does not run on TensorFlow.
    """
    if not str(path).endswith(".keras"):
        raise InputError(f"A detector is a .keras file, as recipes/coco.py writes it, and {path} is not one.")
    needs_tensorflow("A detector", "tf.image")
    model = load_model(path)
    if not isinstance(model, FasterRCNN):
        raise InputError(f"{path} holds no detector: recipes/coco.py makes one from it with --model {path}.")
    return model
