"""Mean image and principal colours against NumPy over all center views, and their caching."""

import numpy as np
import pytest

from keras_resnet import data
from keras_resnet.data import augment, image_statistics as statistics


def views(split, size):
    return np.stack([augment.center_view(split.read(i)[0], size) for i in range(len(split))]).astype(np.float64)


@pytest.mark.long
def test_mean_and_colours_are_numpy_s(photo_folder):
    train = data.open_data(str(photo_folder)).train
    images = views(train, 32)
    np.testing.assert_allclose(data.mean_image(train, 32), images.mean(0), rtol=1e-5)
    colours = data.principal_colours(train, 32)
    vectors, values = np.array(colours.vectors), np.array(colours.values)
    covariance = np.cov(images.reshape(-1, 3).T / 255, bias=True)
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, atol=1e-8)
    assert values[0] >= values[1] >= values[2] > 0


@pytest.mark.long
def test_statistics_are_cached_until_the_files_change(photo_folder, monkeypatch):
    computed = []
    real = statistics._mean_of_center_views
    monkeypatch.setattr(
        statistics, "_mean_of_center_views", lambda split, size: computed.append(size) or real(split, size)
    )
    for _ in range(2):
        mean = data.mean_image(data.open_data(str(photo_folder)).train, 24)
    assert computed == [24]
    (photo_folder / "train" / "cat" / "0.JPEG").write_bytes((photo_folder / "train" / "dog" / "1.JPEG").read_bytes())
    assert (data.mean_image(data.open_data(str(photo_folder)).train, 24) != mean).any()
    assert computed == [24, 24]
