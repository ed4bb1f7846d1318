"""Features are written, asked and shown as a user does it."""

import json
import shutil
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from conftest import write_photos
from PIL import Image
from programs import load_program, run
from tensorboard.program import TensorBoard

import keras_resnet
from keras_resnet.data import Division, open_data
from keras_resnet.drawing import CELL, GAP
from keras_resnet.evaluation.embeddings import read_embeddings
from keras_resnet.weights import TORCH

pytestmark = pytest.mark.long


def embed(*arguments):
    """Exit status, output and last line of errors."""
    done = run("tools/embed.py", *arguments)
    return done.returncode, done.stdout, (done.stderr.strip().splitlines() or [""])[-1]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with photos, one of which is in both parts, a model, and the features."""
    folder = tmp_path_factory.mktemp("embed")
    photos = write_photos(folder)
    shutil.copy(photos / "train" / "cat" / "3.JPEG", photos / "val" / "dog" / "copy.JPEG")
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    model.preprocessing = TORCH
    model.save(folder / "m.keras")
    status, text, error = embed("write", "--model", folder / "m.keras", "--data", photos, "--out", folder / "f.npz")
    assert status == 0, error
    assert text == f"64 features of 12 of train, 5 of val in {folder / 'f.npz'}\n"
    return folder


def test_the_most_alike_and_the_same_file_are_named_and_drawn(written, tmp_path):
    photo, copy = (written / "photos" / part for part in ("train/cat/3.JPEG", "val/dog/copy.JPEG"))
    flags = ("--count", 3, "--draw", tmp_path / "near.png", "--json", tmp_path / "near.json")
    status, text, error = embed("near", written / "f.npz", photo, *flags)
    assert status == 0, error
    lines = text.splitlines()
    assert lines[:3] == [str(photo), f"  the same file as {photo} (train)", f"  the same file as {copy} (val)"]
    assert len(lines) == 6
    assert all(line.split()[0] == "1.0000" for line in lines[3:5])
    (answer,) = json.loads((tmp_path / "near.json").read_text())
    assert [row["photo"] for row in answer["same"]] == [str(photo), str(copy)]
    assert [row["photo"] for row in answer["nearest"]] == [line.split()[-1] for line in lines[3:]]
    assert Image.open(tmp_path / "near.png").size[0] == 4 * (CELL + GAP) + GAP


def test_photos_are_drawn_as_a_viewer_shows_them(tmp_path):
    """Upright and, where they are transparent, on white."""
    pixels, exif = np.zeros((20, 40, 3), np.uint8), Image.Exif()
    pixels[:, :20], exif[0x0112] = 255, 6  # the left half is above when the photo is turned
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGBA", (20, 20)).save(tmp_path / "clear.png")
    drawn = load_program("tools/embed.py")._picture
    assert drawn(tmp_path / "turned.jpg").shape == (40, 20, 3)
    assert drawn(tmp_path / "clear.png").min() == 255


def test_parts_are_those_of_the_model_s_own_run(written, tmp_path):
    """Photos without a split: of fold 2 of 3, the run has not trained on four."""
    photos, flags = written / "photos" / "train", ("--folds", 3, "--fold", 2, "--out", tmp_path / "f.npz")
    status, _, error = embed("write", "--model", written / "m.keras", "--data", photos, *flags)
    assert status == 0, error
    split = open_data(str(photos), None, Division(folds=3, fold=2)).validation
    stored = read_embeddings(tmp_path / "f.npz")
    assert stored.of_part("val").photos.tolist() == [split.file(at) for at in range(4)]
    assert len(stored.of_part("train")) == 8


def test_copies_across_parts_and_classes_are_counted(written):
    status, text, error = embed("copies", written / "f.npz")
    assert status == 0, error
    lines = text.splitlines()
    assert lines[0].startswith("same file  ")
    assert "train/cat/3.JPEG (train)" in lines[0]
    assert "val/dog/copy.JPEG (val)" in lines[0]
    assert lines[-2].startswith("pairs among 17 photos: ")
    assert lines[-2].endswith(", of the same bytes: 1")
    assert error.startswith("17 photos are too few to tell near copies by")


def test_simple_classifiers_are_judged(written, tmp_path):
    """Bright dogs and dark cats; the copied cat among the dogs is the one mistake."""
    status, text, error = embed("judge", written / "f.npz", "--neighbours", 1, "--json", tmp_path / "judged.json")
    assert status == 0, error
    assert "trained on 12 photos of train, tested on 5 of val" in text
    content = json.loads((tmp_path / "judged.json").read_text())
    assert content["wrong"] == {"k-nn": 1, "linear probe": 1}
    assert all(f"| {' | '.join(row)} |" in text for row in content["tables"]["errors"]["rows"])
    status, _, error = embed("judge", written / "f.npz", "--test", "test")
    assert (status, error.split(":")[0]) == (2, "embed.py")
    assert "There are no features of the part test, only of train, val" in error


def test_tensorboards_projector_serves_the_features(written, tmp_path):
    status, text, error = embed("project", written / "f.npz", "--out", tmp_path / "view")
    assert status == 0, error
    assert text == f"17 photos: tensorboard --logdir {tmp_path / 'view'}, then Projector\n"
    assert Image.open(tmp_path / "view" / "photos.png").size == (5 * 48, 5 * 48)
    board = TensorBoard()  # what the command tensorboard starts, here in a thread
    board.configure(["tensorboard", "--logdir", str(tmp_path / "view"), "--port", "0", "--load_fast", "false"])
    base, runs, deadline = f"{board.launch()}data/plugin/projector", [], time.monotonic() + 120
    while not runs and time.monotonic() < deadline:
        runs = json.load(urllib.request.urlopen(f"{base}/runs"))
        time.sleep(0.1)
    assert runs == ["."]
    (shown,) = json.load(urllib.request.urlopen(f"{base}/info?run=."))["embeddings"]
    name = urllib.parse.quote(shown["tensorName"], safe="")
    vectors = urllib.request.urlopen(f"{base}/tensor?run=.&name={name}").read()
    with np.load(written / "f.npz") as file:
        expected = file["features"].astype(np.float32)
    np.testing.assert_allclose(np.frombuffer(vectors, np.float32).reshape(17, 64), expected, rtol=1e-3)
    rows = urllib.request.urlopen(f"{base}/metadata?run=.&name={name}").read().decode().splitlines()
    assert len(rows) == 18
    assert rows[1].split("\t")[:2] == ["cat", "train"]


@pytest.mark.parametrize("filters", [(8, 16, 32), (16, 32, 64)], ids=["other features", "as many features"])
def test_another_network_than_the_features_are_of_is_refused(written, tmp_path, filters):
    """The file of a run that went on has the same network with other weights."""
    photos = written / "photos" / "val" / "cat"
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), filters=filters, classes=2)
    model.set_weights([values + 1 for values in model.get_weights()])
    model.preprocessing = TORCH
    before = (written / "m.keras").read_bytes()
    try:
        model.save(written / "m.keras")
        status, text, error = embed("near", written / "f.npz", photos / "0.JPEG")
    finally:
        (written / "m.keras").write_bytes(before)
    assert (status, text) == (2, "")
    assert "m.keras is not what" in error
    assert "write the features again" in error


def test_features_of_an_earlier_version_are_read(written, tmp_path):
    """They do not say which weights they are of."""
    with np.load(written / "f.npz") as file:
        np.savez(tmp_path / "f.npz", **{name: file[name] for name in file.files if name != "weights"})
    assert read_embeddings(tmp_path / "f.npz").weights == ""
    status, text, error = embed("near", tmp_path / "f.npz", written / "photos/val/cat/0.JPEG", "--count", 1)
    assert (status, len(text.splitlines())) == (0, 3), error
