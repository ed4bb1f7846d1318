"""The networks of localization from their files."""

from pathlib import Path

from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError
from keras_resnet.loading import load_model
from keras_resnet.localization.networks import LocalizationNetwork


def load_localizer(path: str | Path, kind: type[LocalizationNetwork] = LocalizationNetwork) -> LocalizationNetwork:
    """The RPN or R-CNN saved in a ``.keras`` file.

    Raises:
        InputError: the file is missing, damaged, or of something else than a ``kind``, or Keras does not run on
            TensorFlow.
    """
    needs_tensorflow("A localization network", "tf.image")
    model = load_model(path)
    if not isinstance(model, kind):
        raise InputError(f"{path} holds no {kind.__name__}: recipes/localization.py makes them, in rpn/ and in rcnn/.")
    return model
