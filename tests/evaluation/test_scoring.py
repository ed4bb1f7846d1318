"""Views and scores of real passes over photos, against plain NumPy and single photos."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_resnet
from keras_resnet import InputError, data, evaluation
from keras_resnet.data import augment, decoding
from keras_resnet.evaluation import Estimate, Scores, View
from keras_resnet.evaluation.views import SCALES, at_shorter_side, ten_crops
from keras_resnet.weights import TORCH


@pytest.fixture(scope="module")
def model():
    """A small network whose softmax does not saturate."""
    network = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    network.preprocessing = TORCH
    kernel = network.get_layer("predictions").kernel
    kernel.assign(kernel.numpy() * 0.1)
    return network


@pytest.fixture
def photos(tmp_path):
    """Seven photos of four sizes and two classes."""
    rng = np.random.default_rng(2)
    for i, (height, width) in enumerate([(48, 40), (40, 48), (64, 64), (48, 40), (33, 90), (48, 40), (64, 64)]):
        folder = tmp_path / "photos" / ("cat", "dog")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3)).astype(np.uint8)).save(folder / f"{i}.png")
    return data.folder_split(tmp_path / "photos", "photos")[1]


def images_of(split):
    return [decoding.decode(split.read(position)[0]) for position in range(len(split))]


def test_ten_crops_are_the_corners_the_center_and_their_mirrors(rng):
    image = rng.integers(0, 256, (37, 50, 3)).astype("uint8")  # at shorter side 37 = round(32 * 8 / 7) as it is
    crops = ten_crops(tf.constant(image), 32).numpy()
    expected = [image[t : t + 32, left : left + 32] for t, left in [(0, 0), (0, 18), (5, 0), (5, 18), (2, 9)]]
    np.testing.assert_allclose(crops[:5], expected)
    np.testing.assert_allclose(crops[5:], [crop[:, ::-1] for crop in expected])


@pytest.mark.parametrize(("shape", "expected"), [((40, 80), (32, 64)), ((75, 50), (48, 32)), ((10, 11), (32, 35))])
def test_the_shorter_side_keeps_the_aspect_ratio(shape, expected):
    assert at_shorter_side(tf.zeros((*shape, 3)), 32).shape == (*expected, 3)


def test_the_scales_are_the_paper_s_in_proportion():
    assert View("multi-scale").sides(224, 32) == SCALES == (224, 256, 384, 480, 640)
    assert View("multi-scale").sides(32, 4) == (32, 40, 56, 72, 92)
    assert View("multi-scale").sides(96, 32) == (96, 128, 192, 224, 288)
    assert View("multi-scale", (40, 33)).sides(32, 4) == (40, 33)
    with pytest.raises(InputError, match="scale 30 is smaller than the 32 pixels for which the model was built"):
        View("multi-scale", (30, 40)).sides(32, 4)
    with pytest.raises(InputError, match="scales are for the view multi-scale: the view center has a single size"):
        View("center", (30,))
    with pytest.raises(InputError, match="flips are for the views center and multi-scale: 10-crop has mirror images"):
        View("10-crop", flips=True)
    with pytest.raises(InputError, match="view 'corner' is not known: choose one of center, 10-crop, multi-scale"):
        View("corner")


@pytest.mark.long
def test_the_center_is_the_share_that_the_preprocessing_says(photos, model):
    for crop in (1.0, 7 / 8):
        model.preprocessing = TORCH.at_crop(crop)
        views = [augment.center_view(photos.read(i)[0], 32, crop) for i in range(len(photos))]
        expected = model(TORCH(np.stack(views))).numpy()
        scores = evaluation.score(model, photos, batch_size=3)
        np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)
        assert scores.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
        mirrored = model(TORCH(np.stack(views)[:, :, ::-1])).numpy()
        flipped = evaluation.score(model, photos, View(flips=True), batch_size=3)
        np.testing.assert_allclose(flipped.probabilities, (expected + mirrored) / 2, atol=1e-5)


@pytest.mark.long
def test_ten_crops_average_probabilities(photos, model):
    scores = evaluation.score(model, photos, View("10-crop"), batch_size=25)
    expected = [model(TORCH(ten_crops(image, 32).numpy())).numpy().mean(axis=0) for image in images_of(photos)]
    np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)


@pytest.fixture(scope="module")
def dense(model):
    """The dense form of the network, which is traced once for each size of image."""
    return evaluation.dense_scores(model)


@pytest.mark.long
@pytest.mark.parametrize(
    ("batch_size", "flips"),
    [
        (1, False),
        (2, True),
        (64, False),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, True), (2, False), (64, True))),
    ],
)
def test_multi_scale_is_each_photo_alone_at_each_scale(photos, model, dense, batch_size, flips):
    scores, expected = evaluation.score(model, photos, View("multi-scale", (32, 40, 61), flips), batch_size), []
    for image in images_of(photos):
        alone = [TORCH(at_shorter_side(image, side).numpy()[None]) for side in (32, 40, 61)]
        alone += [view[:, :, ::-1] for view in alone] if flips else []
        expected.append(np.mean([dense(view)[0] for view in alone], axis=0))
    np.testing.assert_allclose(scores.probabilities, expected, atol=1e-5)


@pytest.mark.long
def test_scores_are_kept_and_belong_to_weights_view_and_photos(photos, model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = tmp_path / "cache" / "keras_resnet" / "scores"
    first = evaluation.cached_scores(model, photos)
    again = evaluation.cached_scores(model, photos)
    np.testing.assert_array_equal(first.probabilities, again.probabilities)
    assert first.labels.tolist() == again.labels.tolist()
    assert len(list(kept.iterdir())) == 1
    evaluation.cached_scores(model, photos, View(flips=True))
    bias = model.get_layer("predictions").bias
    bias.assign(bias.numpy() + np.array([5, 0]))
    other = evaluation.cached_scores(model, photos)
    bias.assign(bias.numpy() - np.array([5, 0]))
    assert len(list(kept.iterdir())) == 3
    shifts = [np.diff(np.log(scores.probabilities.astype("float64")))[:, 0] for scores in (first, other)]
    np.testing.assert_allclose(shifts[0] - shifts[1], 5, rtol=1e-3)


@pytest.mark.parametrize("view", [View(), View("10-crop"), View("multi-scale", (32, 40))])
@pytest.mark.long
def test_probabilities_that_are_not_finite_name_the_model_and_the_photos(photos, model, view, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bias = model.get_layer("predictions").bias
    before = bias.numpy()
    bias.assign([np.nan, 0])
    with pytest.raises(InputError, match=r"ResNet20 gives scores that are not finite for .*photos/cat/0.png"):
        evaluation.cached_scores(model, photos, view)
    bias.assign(before)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_scores_are_finite():
    probabilities = np.full((4, 3), 1 / 3, "float32")
    probabilities[2, 1] = np.nan
    with pytest.raises(InputError, match=r"not finite for 1 of 4 photos \(2\)"):
        Scores(probabilities, np.zeros(4, "int32"))


def test_errors_count_labels_outside_the_best(rng):
    probabilities = rng.random((200, 12)).astype("float32")
    labels = rng.integers(0, 12, 200).astype("int32")
    order = np.argsort(-probabilities, axis=1)
    for k in (1, 5):
        wrong = sum(label not in best[:k] for label, best in zip(labels, order, strict=True))
        assert Scores(probabilities, labels).error(k) == Estimate(wrong, 200)
    ties = Scores(np.ones((2, 4), "float32"), np.array([0, 3], "int32"))
    assert (ties.error(1).wrong, ties.error(3).wrong, ties.error(4).wrong) == (1, 1, 0)


def test_intervals_are_clopper_and_pearson_s():
    low, high = Estimate(0, 10).interval
    assert low == 0
    assert high == pytest.approx(100 * (1 - 0.025 ** (1 / 10)))  # their closed form without successes
    low, high = Estimate(85, 1000).interval
    assert (round(low, 2), round(high, 2)) == (6.85, 10.40)
    assert str(Estimate(85, 1000)) == "8.50 % (6.85 to 10.40)"


def test_models_that_do_not_belong_to_the_data_are_refused(photo_folder, model):
    dataset = data.open_data(str(photo_folder))
    evaluation.check_model(model, dataset)
    stranger = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    with pytest.raises(InputError, match="does not know its preprocessing"):
        evaluation.check_model(stranger, dataset)
    stranger.preprocessing, stranger.class_names = TORCH, ("cat", "cow")
    with pytest.raises(InputError, match=r"trained on other classes than photos has \(cow for dog\)"):
        evaluation.check_model(stranger, dataset)
    with pytest.raises(InputError, match="gives 10 scores and the data has 2 classes"):
        evaluation.check_model(keras_resnet.ResNet20(blocks=(1, 1, 1)), dataset)
