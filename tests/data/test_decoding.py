"""Photos are decoded and reduced as Pillow does it, and those above the bound are refused from their headers."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data import decoding


def photo(height, width, mode="RGB"):
    """A JPEG whose red and green grow from 0 to 255 with the row and the column."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, height)[:, None]
    pixels[..., 1] = np.linspace(0, 255, width)[None, :]
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", quality=90)
    return tf.constant(file.getvalue())


def test_only_photos_above_the_shorter_side_are_resized():
    small, large = photo(60, 80), photo(150, 200)
    assert decoding.at_most(small, 60).numpy() == small.numpy()
    resized = decoding.decode(decoding.at_most(large, 60)).numpy()
    expected = np.asarray(Image.open(io.BytesIO(large.numpy())).resize((80, 60), Image.Resampling.BILINEAR))
    assert resized.shape == (60, 80, 3)
    assert np.abs(resized.astype(int) - expected).mean() < 1.5  # of 255; this includes the loss of the second JPEG
    grey = photo(60, 240, "L")
    assert decoding.decode(decoding.at_most(grey, 30)).shape == (30, 120, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_photos_above_the_bound_are_refused_from_their_headers(kind, monkeypatch):
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, kind)
    assert decoding.decode(file.getvalue()).shape == (30, 40, 3)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1199)
    assert decoding.problem(file.getvalue()) == decoding.TOO_LARGE
