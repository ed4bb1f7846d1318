"""Photos of one class each and small networks, which the tests of localization share."""

import keras
import pytest

from keras_resnet.detection import open_coco
from keras_resnet.localization import LocalizationRCNN, LocalizationRPN, one_class


@pytest.fixture(scope="session")
def photos(rectangles):
    """Twelve pictures of 96 x 96 pixels, each with rectangles of one colour."""
    return one_class(open_coco(rectangles / "train.json", rectangles / "train"))


@pytest.fixture(scope="session")
def rpn(classifier, photos):
    """An RPN on the random classifier, not trained."""
    keras.utils.set_random_seed(1)
    return LocalizationRPN(classifier, photos.classes, 96)


@pytest.fixture(scope="session")
def rcnn(classifier, photos):
    """An R-CNN on the random classifier, not trained."""
    keras.utils.set_random_seed(2)
    return LocalizationRCNN(classifier, photos.classes, 64)
