"""Class names for ImageNet's scores; the names themselves are downloaded, so only the guards are tested here."""

import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError


@pytest.mark.parametrize("shape", [(1000,), (2, 10)])
def test_scores_must_be_imagenet_s(shape):
    with pytest.raises(InputError, match=r"takes the 1,000 ImageNet scores, \[batch, 1000\], not shape"):
        keras_resnet.decode_predictions(np.zeros(shape))


def test_top_must_fit():
    with pytest.raises(InputError, match="top 0 must be from 1 to 1000"):
        keras_resnet.decode_predictions(np.zeros((1, 1000)), top=0)
