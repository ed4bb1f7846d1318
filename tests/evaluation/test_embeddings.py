"""Embeddings are the classifier's inputs; neighbours, copies and errors are those of plain NumPy or planted."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import keras_resnet
from keras_resnet import InputError, data
from keras_resnet.data import augment, demo
from keras_resnet.evaluation import (
    Embeddings,
    embed_split,
    k_nn_error,
    linear_probe_error,
    near_copies,
    nearest,
    read_embeddings,
)
from keras_resnet.evaluation.embeddings import ENOUGH, joined, near_copies_of
from keras_resnet.weights import TORCH


def embeddings(features, labels, parts=None, hashes=None):
    count = len(features)
    parts = np.array(["train"] * count) if parts is None else parts
    hashes = np.array([str(number) for number in range(count)]) if hashes is None else hashes
    photos = np.array([f"{number}.jpg" for number in range(count)])
    return Embeddings(features.astype(np.float16), np.asarray(labels), parts, photos, hashes, np.array(["a"]), "m")


@pytest.fixture
def digits():
    """Eight by eight pixels of handwritten digits, as features: 1,000 to learn from and 797 to judge on."""
    pixels, labels = load_digits(return_X_y=True)
    stored = embeddings(pixels, labels, np.array(["train"] * 1000 + ["val"] * 797))
    return stored.of_part("train"), stored.of_part("val")


@pytest.mark.long
def test_features_are_what_the_classifier_reads(photo_folder, rng, tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    model.preprocessing = TORCH
    folder = data.open_data(str(photo_folder))
    rows = [embed_split(model, folder.part(part), part, batch_size=5) for part in ("train", "val")]
    made = joined(rows, folder.classes, "the model")
    assert made.features.shape == (16, 64)
    kernel, bias = model.layers[-1].get_weights()
    for number in (0, 7, 15):
        encoded = Path(made.photos[number]).read_bytes()
        assert made.hashes[number] == hashlib.sha256(encoded).hexdigest()
        assert made.classes[made.labels[number]] in str(made.photos[number])
        image = TORCH(augment.center_view(encoded, 32, TORCH.crop).numpy()[None])
        logits = made.features[number].astype(np.float32) @ kernel + bias
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(expected, np.asarray(model(image))[0], atol=0.01)  # float16 has 11 bits
    made.save(tmp_path / "features.npz")
    again = read_embeddings(tmp_path / "features.npz")
    for name, value in vars(made).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)
    assert made.of_part("val").photos.tolist() == made.photos[12:].tolist()
    with pytest.raises(InputError, match="no features of the part test, only of train, val: write them again"):
        made.of_part("test")


def test_the_nearest_are_those_of_the_largest_cosine(rng):
    features, queries = rng.normal(size=(50, 8)), rng.normal(size=(3, 8))
    stored = embeddings(features, np.zeros(50))
    similarities, positions = nearest(stored, queries, 4)
    for query, neighbours, values in zip(queries, positions, similarities, strict=True):
        rows = stored.features.astype(float)
        cosines = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
        assert neighbours.tolist() == np.argsort(-cosines)[:4].tolist()
        np.testing.assert_allclose(values, np.sort(cosines)[::-1][:4], rtol=1e-5)
    assert nearest(stored, queries, 99)[1].shape == (3, 50)


def test_errors_are_those_of_a_vote_by_hand_and_of_a_probe_that_learns(digits):
    train, test = digits
    rows, queries = (part.features.astype(float) for part in digits)
    cosines = queries @ rows.T / np.linalg.norm(rows, axis=1) / np.linalg.norm(queries, axis=1)[:, None]
    votes = train.labels[np.argsort(-cosines, axis=1)[:, :5]]
    answers = [np.bincount(neighbours).argmax() for neighbours in votes]
    error = k_nn_error(train, test)
    assert error.examples == 797
    assert error.wrong == pytest.approx((answers != test.labels).sum(), abs=2)  # of equal cosines any may vote
    assert linear_probe_error(train, test).percent < 12
    shuffled = embeddings(train.features, np.random.default_rng(0).permutation(train.labels))
    assert linear_probe_error(shuffled, test).percent > 70
    with pytest.raises(InputError, match="All training photos are of one class"):
        linear_probe_error(embeddings(train.features, np.zeros(1000)), test)


def encoded(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


@pytest.mark.long
def test_encodings_of_one_picture_are_near_copies_and_pictures_of_one_class_are_not():
    """Pictures of one shape, and some of them again, encoded worse or half as large, by features not yet trained."""
    pictures = [demo.render(0, seed) for seed in range(60)]
    again = [encoded(picture, 60) for picture in pictures[:6]]
    again += [encoded(p.resize((p.width // 2, p.height // 2), Image.Resampling.BOX), 90) for p in pictures[6:10]]
    files = [*(encoded(picture, 90) for picture in pictures), *again]
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    model.preprocessing = TORCH
    images = TORCH(np.stack([augment.center_view(file, 32, TORCH.crop).numpy() for file in files]))
    features = keras_resnet.evaluation.embedder(model)(images, training=False).numpy()
    pairs = near_copies(embeddings(features, np.zeros(70)))
    assert {pair[:2] for pair in pairs} == {(number, 60 + number) for number in range(10)}
    assert [pair[2] for pair in pairs] == sorted((pair[2] for pair in pairs), reverse=True)
    whole = embeddings(features[:60], np.zeros(60))
    assert [places.tolist() for places in near_copies_of(whole, features[60:])] == [[number] for number in range(10)]


def test_near_copies_are_told_from_a_number_of_photos_on(rng):
    """Half of the photos are near copies of the others; of fewer photos, the components tell these pairs apart."""
    for half, expected in ((ENOUGH // 2, ENOUGH // 2), (8, 0)):
        features = 1 + rng.normal(size=(half, 64)) * np.linspace(1, 0.05, 64)
        near = features * (1 + 0.002 * rng.normal(size=features.shape))
        pairs = near_copies(embeddings(np.concatenate([features, near]), np.zeros(2 * half)))
        assert len({pair[:2] for pair in pairs} & {(place, place + half) for place in range(half)}) == expected


def test_copies_of_the_same_bytes_are_of_similarity_1(rng):
    """A cosine in float32 may be a little below 1 for equal features."""
    features = rng.normal(size=(50, 64)).astype(np.float16)
    both = embeddings(np.concatenate([features, features]), np.zeros(100))
    assert sorted(pair[:2] for pair in near_copies(both, 1.0)) == [(number, 50 + number) for number in range(50)]
    assert [places.tolist() for places in near_copies_of(embeddings(features, np.zeros(50)), features, 1.0)] == [
        [number] for number in range(50)
    ]


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nothing.npz cannot be read \(No such file or directory\): write it with"):
        read_embeddings(tmp_path / "nothing.npz")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    (tmp_path / "text.npz").write_text("text")
    for name in ("other.npz", "text.npz"):
        with pytest.raises(InputError, match="holds no features of photos"):
            read_embeddings(tmp_path / name)
    made = embeddings(np.zeros((3, 2)), np.zeros(2))
    made.save(tmp_path / "short.npz")
    with pytest.raises(InputError, match="its arrays do not belong together"):
        read_embeddings(tmp_path / "short.npz")
    with pytest.raises(InputError, match="A single photo can have no copies"):
        near_copies(embeddings(np.ones((1, 2)), np.zeros(1)))
