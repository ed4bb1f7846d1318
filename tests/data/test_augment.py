"""The paper's augmentation: pure functions of (image, seed), with the paper's distributions."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet.data import augment, decode_all, decoding, open_data
from keras_resnet.weights import Preprocessing


def encode(pixels, kind="JPEG", **options):
    out = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(out, kind, **options)
    return tf.constant(out.getvalue())


def ramp(height, width):
    """An image whose red and green encode the row and column of each pixel, from 0 to 255."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, height)[:, None]
    pixels[..., 1] = np.linspace(0, 255, width)[None, :]
    return pixels


def seeds(count):
    return [tf.constant([7, i], tf.int64) for i in range(count)]


def views(function, count):
    """``function`` of each seed, traced once as in a pipeline, where it takes a tenth of the time."""
    traced = tf.function(function, autograph=False)
    return [traced(seed).numpy() for seed in seeds(count)]


def test_equal_seeds_give_equal_views_and_different_seeds_do_not():
    encoded = encode(ramp(90, 120), quality=95)
    view = augment.ImageNetView(Preprocessing(np.zeros(3)), 32)
    first, second = (view.training(encoded, seed).numpy() for seed in seeds(2))
    again = view.training(encoded, seeds(1)[0]).numpy()
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 1


@pytest.mark.parametrize(("size", "padding"), [(32, 4), (16, 2)])
def test_pad_and_crop_is_a_crop_of_the_image_padded_by_an_eighth_of_its_side(rng, size, padding):
    image = rng.normal(size=(size, size, 3)).astype("float32")
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, image.shape)[:, :, 0]
    corners = set()
    for crop in views(lambda seed: augment.pad_and_crop(tf.constant(image), seed), 300):
        equal = np.argwhere((windows == crop).all(axis=(2, 3, 4)))
        assert len(equal) == 1
        corners.add(tuple(equal[0]))
    assert len(corners) > 0.85 * (2 * padding + 1) ** 2  # if all are equally likely
    assert {0, 2 * padding} <= {row for row, _ in corners}


def test_flip_mirrors_half_the_time():
    image = tf.constant(ramp(4, 6))
    mirrored = image[:, ::-1].numpy()
    flipped = [np.array_equal(view, mirrored) for view in views(lambda seed: augment.flip(image, seed), 400)]
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.08)


@pytest.mark.long
def test_training_scale_and_position_are_uniform():
    """A crop of the ramp reveals its own scale, uniform in [8/7, 15/7], and its position, uniform as well."""
    height, width = 210, 300
    encoded = encode(ramp(height, width), "PNG")
    scales, tops, lefts = [], [], []
    for view in views(lambda seed: augment.scale_crop_flip(encoded, seed, 64), 500):
        rows = view[:, 0, 0] / 255 * (height - 1)
        columns = view[0, :, 1] / 255 * (width - 1)
        extent = (rows[-2] - rows[1]) / 61 * 64  # pixels of the file that the crop covers
        scales.append(height / extent)
        tops.append((rows.mean() - extent / 2) / (height - extent))
        lefts.append((columns.mean() - extent / 2) / (width - extent))
    assert min(scales) == pytest.approx(8 / 7, abs=0.03)
    assert max(scales) == pytest.approx(15 / 7, abs=0.05)
    for values, low, high in ((scales, 8 / 7, 15 / 7), (tops, 0, 1), (lefts, 0, 1)):
        quartiles = np.quantile(values, [0.25, 0.5, 0.75])
        np.testing.assert_allclose(quartiles, low + (high - low) * np.array([0.25, 0.5, 0.75]), atol=0.09)


@pytest.mark.long
def test_the_decoded_window_equals_the_crop_of_the_whole_image():
    """A JPEG, cropped while decoding, against the same pixels of the lossless file."""
    pixels = ramp(150, 130)
    files = encode(pixels, quality=98), encode(pixels, "PNG")
    pairs = (views(lambda seed, file=file: augment.scale_crop_flip(file, seed, 48), 20) for file in files)
    for jpeg, png in zip(*pairs, strict=True):
        np.testing.assert_allclose(jpeg, png, atol=6)


@pytest.mark.long
def test_a_center_view_of_the_whole_image_is_what_networks_of_the_cifar_protocol_learn_from(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for part in ("train", "val"):
        (tmp_path / part / "a").mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / part / "a" / "0.png")
    split = open_data(str(tmp_path)).validation
    areas = pixels.reshape(16, 2, 16, 2, 3).mean((1, 3))
    for size, exact in ((16, areas), (32, pixels), (24, None)):
        view = augment.center_view(split.read(0)[0], size, 1.0).numpy()
        np.testing.assert_array_equal(view, decode_all(split, size).images[0])
        if exact is not None:
            np.testing.assert_allclose(view, exact, atol=0.5)


def test_center_view_is_pillow_s():
    pixels = ramp(140, 175)
    view = augment.center_view(encode(pixels, "PNG"), 64).numpy()
    side = round(140 * 7 / 8)
    box = ((175 - side) // 2, (140 - side) // 2, (175 - side) // 2 + side, (140 - side) // 2 + side)
    expected = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR, box=box)
    np.testing.assert_allclose(view, np.asarray(expected, np.float32), atol=1.5)


@pytest.mark.long
def test_colour_shift_has_alexnet_s_covariance():
    shifts = np.stack(views(augment.colour_shift, 3000)) / 255
    vectors, values = np.array(augment.ALEXNET_COLOURS.vectors), np.array(augment.ALEXNET_COLOURS.values)
    expected = vectors @ np.diag((0.1 * values) ** 2) @ vectors.T
    np.testing.assert_allclose(np.cov(shifts.T), expected, atol=0.07 * expected.max())
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=2e-3)


def test_the_colour_shift_is_the_same_in_either_channel_order():
    """The training view of a network that reads BGR is that of RGB with its channels reversed."""
    encoded, mean = encode(ramp(90, 120), quality=95), np.array([120.0, 110.0, 100.0])
    colours = augment.Colours((0.5, 0.1, 0.01), tuple(map(tuple, np.eye(3).tolist())))  # red varies most
    for seed in seeds(3):
        rgb, bgr = (
            augment.ImageNetView(preprocessing, 32, colours).training(encoded, seed).numpy()
            for preprocessing in (Preprocessing(mean), Preprocessing(mean[::-1], channels="BGR"))
        )
        np.testing.assert_allclose(bgr, rgb[..., ::-1], atol=1e-4)


@pytest.mark.parametrize("kind", ["grey", "cmyk", "png", "palette", "tiny"])
def test_unusual_files_are_decoded_whole_and_used(kind, rng):
    picture = Image.fromarray(ramp(60, 80))
    encoded = {
        "grey": lambda: encode(picture.convert("L"), quality=95),
        "cmyk": lambda: encode(picture.convert("CMYK"), quality=95),
        "png": lambda: encode(picture, "PNG"),
        "palette": lambda: encode(picture.convert("P"), "PNG"),
        "tiny": lambda: encode(picture.resize((3, 2)), quality=95),
    }[kind]()
    for seed in seeds(5):
        view = augment.scale_crop_flip(encoded, seed, 32).numpy()
        assert view.shape == (32, 32, 3)
        assert 0 <= view.min() <= view.max() <= 255
    assert augment.center_view(encoded, 32).shape == (32, 32, 3)
    if kind == "cmyk":
        rgb = augment.center_view(encode(picture, "PNG"), 32).numpy()
        np.testing.assert_allclose(augment.center_view(encoded, 32).numpy(), rgb, atol=12)


def test_cifar_view_pads_with_the_mean(rng):
    mean = rng.uniform(0, 255, (32, 32, 3)).astype("float32")
    image = tf.fill([32, 32, 3], tf.constant(200, tf.uint8))
    allowed = np.unique(np.append(200 - mean, 0).astype("float32"))
    for view in views(lambda seed: augment.cifar_training_view(image, seed, Preprocessing(mean)), 10):
        assert np.isin(view, allowed).all()


def test_cifar_view_is_a_crop_of_the_padded_image_mirrored_half_the_time(rng):
    from scipy.stats import binomtest

    image, mean = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8), rng.uniform(0, 255, (32, 32, 3))
    padded = np.pad(image - mean, ((4, 4), (4, 4), (0, 0)))
    crops = np.stack([padded[y : y + 32, x : x + 32] for y in range(9) for x in range(9)]).astype("float32")
    mirrored = []
    for view in views(lambda seed: augment.cifar_training_view(tf.constant(image), seed, Preprocessing(mean)), 100):
        plain, flipped = (np.abs(crops - crop).max(axis=(1, 2, 3)).min() < 1e-3 for crop in (view, view[:, ::-1]))
        assert plain != flipped
        mirrored.append(flipped)
    assert binomtest(sum(mirrored), 100).pvalue > 0.001


@pytest.mark.long
def test_crops_and_flips_are_distributed_as_in_the_naive_pipeline():
    """Size, position and flip of 600 views of the ramp, against decode, resize, crop with the same seeds.

    Two-sample Kolmogorov-Smirnov tests, each with a false-alarm rate of 0.1 %.
    """
    from scipy.stats import binomtest, ks_2samp

    height, width = 150, 200
    encoded = encode(ramp(height, width), "PNG")

    def naive(seed):
        image = tf.cast(decoding.decode(encoded), tf.float32)
        scale = tf.random.stateless_uniform([], augment.fold(seed, 10), 256 / 224, 480 / 224)
        target = tf.cast(tf.round(tf.constant([height, width], tf.float32) * scale * 48 / height), tf.int32)
        image = tf.image.resize(image, target, antialias=True)
        image = tf.image.stateless_random_crop(image, [48, 48, 3], augment.fold(seed, 11))
        return tf.image.stateless_random_flip_left_right(image, augment.fold(seed, 12))

    def ours(seed):
        return augment.scale_crop_flip(encoded, seed, 48)

    measured = {}
    for name, view in (("naive", naive), ("ours", ours)):
        rows, columns = [], []
        for pixels in views(view, 600):
            rows.append(pixels[[4, 43], 24, 0])
            columns.append(pixels[24, [4, 43], 1])
        rows, columns = np.array(rows), np.array(columns)
        measured[name] = {
            "size": rows[:, 1] - rows[:, 0],
            "top": rows.mean(1),
            "left": columns.mean(1),
            "flipped": columns[:, 1] < columns[:, 0],
        }
    for quantity in ("size", "top", "left"):
        assert ks_2samp(measured["naive"][quantity], measured["ours"][quantity]).pvalue > 0.001, quantity
    for name in measured:
        assert binomtest(int(measured[name]["flipped"].sum()), 600).pvalue > 0.001, name
