"""The demo set: deterministic, varied, and not linearly separable."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data import decode_all, demo, open_data


def test_rendering_is_deterministic():
    assert demo.render(3, 42).tobytes() == demo.render(3, 42).tobytes()
    assert demo.render(3, 42).tobytes() != demo.render(3, 43).tobytes()


def test_splits_share_no_seed():
    ranges = [range(demo.FIRST_SEED[split], demo.FIRST_SEED[split] + count) for split, count in demo.SIZES.items()]
    assert not set(ranges[0]) & set(ranges[1])


def test_files_are_jpegs_of_varying_size(tmp_path):
    demo.write(tmp_path, {"train": 40, "val": 20})
    files = sorted(tmp_path.rglob("*.jpg"))
    assert len(files) == 60
    sizes = {Image.open(file).size for file in files}
    assert len(sizes) > 40
    assert len(list((tmp_path / "train").iterdir())) == 10
    assert all(Image.open(file).format == "JPEG" for file in files)
    written = open_data(str(tmp_path))
    for split, count in ((written.train, 4), (written.validation, 2)):
        np.testing.assert_array_equal(np.bincount([split.read(i)[1] for i in range(len(split))]), [count] * 10)


def test_everything_but_the_shape_is_independent_of_the_class():
    """The same seed gives each class the same background and clutter: only the shape's own pixels differ."""
    pictures = [np.asarray(demo.render(label, 5), int) for label in range(10)]
    corners = [picture[:6, :6] for picture in pictures]
    assert all(np.array_equal(corner, corners[0]) for corner in corners)


@pytest.fixture(scope="module")
def pixels(own_cache):
    demo_set = open_data("demo")
    return [decode_all(split, 32) for split in (demo_set.train, demo_set.validation)]


@pytest.mark.slow
@pytest.mark.long
def test_a_linear_classifier_on_the_pixels_gets_more_than_half_wrong(pixels):
    """Ridge regression on one-hot labels, with the best of several penalties; chance would be 90 % error."""
    train, validation = pixels
    x, v = (np.c_[split.images.reshape(len(split), -1) / 255 - 0.5, np.ones(len(split))] for split in pixels)
    targets = np.eye(10)[train.labels]
    errors = []
    for penalty in (1, 10, 100, 1000):
        weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ targets)
        errors.append(100 * np.mean((v @ weights).argmax(axis=1) != validation.labels))
    assert min(errors) > 50


@pytest.mark.slow
@pytest.mark.long
def test_sizes_and_classes(own_cache):
    demo_set = open_data("demo")
    for split, count in ((demo_set.train, 300), (demo_set.validation, 100)):
        labels = [tensor.numpy() for _, tensor in tf.data.Dataset.range(len(split)).map(split.read)]
        np.testing.assert_array_equal(np.bincount(labels), [count] * 10)
