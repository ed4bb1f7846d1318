"""TrivialAugment's changes against Pillow's, erased rectangles by their distribution, both as functions of the seed."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from keras_resnet.data import ImageNetView, strong_augment
from keras_resnet.data.strong_augment import CHANGES, erase, trivial_augment
from keras_resnet.weights import Preprocessing

SIDE = 56
SHIFT = 32 / 224 * SIDE


@pytest.fixture
def photo(rng):
    """Smooth colours with some noise, of levels 20 to 200."""
    coarse = Image.fromarray(rng.integers(20, 200, (7, 7, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noisy = np.asarray(coarse).astype(int) + rng.integers(-9, 10, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(noisy, 20, 200).astype(np.uint8))


def affine(*numbers):
    """Pillow's, about the center of the picture."""
    a, b, c, d, e, f = numbers
    at = SIDE / 2
    return lambda photo: photo.transform(
        photo.size, Image.Transform.AFFINE, (a, b, c + at - a * at - b * at, d, e, f + at - d * at - e * at)
    )


def by_pillow(name, strength, signed):
    """What Pillow makes of a photo."""
    factor, turn = 1 + 0.99 * signed, math.radians(135) * signed
    return {
        "unchanged": lambda photo: photo,
        "shear_x": affine(1, 0.99 * signed, 0, 0, 1, 0),
        "shear_y": affine(1, 0, 0, 0.99 * signed, 1, 0),
        "shift_x": affine(1, 0, SHIFT * signed, 0, 1, 0),
        "shift_y": affine(1, 0, 0, 0, 1, SHIFT * signed),
        "rotate": affine(math.cos(turn), math.sin(turn), 0, -math.sin(turn), math.cos(turn), 0),
        "brightness": lambda photo: ImageEnhance.Brightness(photo).enhance(factor),
        "colour": lambda photo: ImageEnhance.Color(photo).enhance(factor),
        "contrast": lambda photo: ImageEnhance.Contrast(photo).enhance(factor),
        "sharpness": lambda photo: ImageEnhance.Sharpness(photo).enhance(factor),
        "posterize": lambda photo: ImageOps.posterize(photo, 8 - round(6 * strength)),
        "solarize": lambda photo: ImageOps.solarize(photo, 255 * (1 - strength)),
        "stretch": ImageOps.autocontrast,
        "equalize": ImageOps.equalize,
    }[name]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("signed", [-0.7, 0.3, 1.0])
def test_changes_are_pillow_s(change, signed, photo):
    """Up to rounding; of shifted and turned pixels two in a hundred may be a neighbour."""
    strength = abs(signed)
    expected = np.asarray(by_pillow(change.__name__, strength, signed)(photo)).astype(float)
    image = tf.constant(np.asarray(photo), tf.float32)
    changed = change(image, strength, tf.constant(signed)).numpy()
    near = np.abs(changed - expected).max(axis=-1) <= 2
    assert near.mean() > 0.98, np.abs(changed - expected).max()
    if change.__name__ not in ("unchanged", "posterize"):
        assert np.abs(changed - np.asarray(photo)).mean() > 0.5


def seeds(count):
    return [tf.constant([5, number], tf.int64) for number in range(count)]


@pytest.mark.long
def test_each_change_is_drawn_equally_often_with_a_random_strength(photo, monkeypatch):
    """Of 700 images, each is told by what its function is given."""
    drawn = []

    def noting(number):
        def change(image, strength, signed):
            tf.py_function(lambda *values: drawn.append((number, *map(float, values))), (strength, signed), [])
            return image

        return change

    monkeypatch.setattr(strong_augment, "CHANGES", tuple(map(noting, range(len(CHANGES)))))
    augmented = tf.function(trivial_augment)
    image = tf.constant(np.asarray(photo), tf.float32)
    for seed in seeds(700):
        augmented(image, seed)
    numbers, strengths, signed = np.array(drawn).T
    assert np.bincount(numbers.astype(int), minlength=len(CHANGES)).min() >= 28  # of 50 expected
    levels = np.round(strengths * 30)
    np.testing.assert_allclose(strengths * 30, levels, atol=1e-4)
    assert set(levels) == set(range(31))
    assert 0.4 < np.mean(signed[strengths > 0] < 0) < 0.6
    np.testing.assert_allclose(np.abs(signed), strengths)


@pytest.mark.long
def test_half_of_the_images_lose_a_rectangle_of_the_stated_area():
    """2 to 40 % of the area, with sides of a ratio of at most 10 : 3, anywhere."""
    image, areas, ratios, covered = tf.ones([60, 80, 3]), [], [], np.zeros((60, 80))
    traced = tf.function(lambda seed: erase(image, seed), autograph=False)  # as in a pipeline, where it takes a tenth
    for seed in seeds(400):
        erased = traced(seed).numpy()[:, :, 0] == 0
        if not erased.any():
            continue
        rows, columns = erased.any(axis=1).sum(), erased.any(axis=0).sum()
        assert erased.sum() == rows * columns
        areas.append(erased.mean())
        ratios.append(rows / columns)
        covered += erased
    assert 0.42 < len(areas) / 400 < 0.58
    assert 0.018 < min(areas) < 0.05
    assert 0.35 < max(areas) < 0.41
    assert 0.28 < min(ratios) < 0.5
    assert 2 < max(ratios) < 3.5
    assert covered.any(axis=0).all()  # the borders too
    assert covered.any(axis=1).all()


@pytest.mark.long
@pytest.mark.parametrize("more", [("trivial",), ("erasing",), ("trivial", "erasing")])
def test_a_view_is_a_function_of_the_seed(more, photo):
    """The same in a data set as alone, and other than without."""
    encoded = tf.io.encode_png(np.asarray(photo))
    plain, view = (ImageNetView(Preprocessing(np.full(3, 99.0)), 32, more=names) for names in ((), more))
    data_set = tf.data.Dataset.from_tensor_slices(tf.stack(seeds(12)))
    mapped = list(data_set.map(lambda seed: view.training_graph(encoded, seed)).as_numpy_iterator())
    for image, seed in zip(mapped, seeds(4), strict=False):
        np.testing.assert_allclose(view.training(encoded, seed), image, atol=1e-4)
    without = [plain.training_graph(encoded, seed).numpy() for seed in seeds(12)]
    assert sum(np.abs(image - other).max() > 1e-3 for image, other in zip(mapped, without, strict=True)) >= 3
