"""Sizes, orientations and contents of files; a photo in two parts at once is recognized by its content."""

import hashlib
import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_resnet import InputError
from keras_resnet.data import viewing
from keras_resnet.data.cache import cache_folder, version_of
from keras_resnet.data.splits import fingerprint_of
from keras_resnet.detection import FasterRCNN, check_unseen, content_hashes, decode_upright, load_detector, open_coco
from keras_resnet.detection.data import photo_files
from keras_resnet.detection.data.photo_files import examine_files


def test_sizes_orientations_and_contents_are_those_of_the_files(tmp_path):
    files = [tmp_path / name for name in ("wide.jpg", "turned.jpg", "none.jpg")]
    picture = Image.new("RGB", (40, 20))
    picture.save(files[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(files[1], exif=exif)
    files[2].write_bytes(b"no picture")
    facts = examine_files(files)
    assert facts[:, :3].tolist() == [[20, 40, 1], [20, 40, 6], [0, 0, 1]]
    expected = [hashlib.sha256(file.read_bytes()).digest()[:8] for file in files]
    assert [int(value).to_bytes(8, "little") for value in facts[:, 3]] == expected
    Image.new("RGB", (10, 30)).save(files[0])
    assert examine_files(files)[0, :2].tolist() == [30, 10]


def test_the_name_of_a_file_need_not_be_utf_8(tmp_path):
    file = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (40, 20)).save(file)
    assert examine_files([file])[0, :2].tolist() == [20, 40]
    assert fingerprint_of([str(file)]) == fingerprint_of([os.fsencode(file)])


def test_what_could_not_be_read_is_examined_again(tmp_path, monkeypatch):
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")

    def refuse(path):
        raise InputError(f"{path} cannot be read: Permission denied.")

    with monkeypatch.context() as closed:  # permissions do not stop everybody who runs this test
        closed.setattr(photo_files, "read_regular", refuse)
        assert examine_files([tmp_path / "a.png"]).tolist() == [[0, 0, 1, 0]]
    assert examine_files([tmp_path / "a.png"])[0, :2].tolist() == [20, 40]


def test_turns_that_another_version_read_are_read_again(tmp_path, monkeypatch):
    """Which formats EXIF turns is said in the module ``viewing``."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    examine_files([tmp_path / "a.png"])
    (kept,) = (cache_folder() / "photos").iterdir()
    makers = photo_files._examine, photo_files._size_and_orientation, photo_files._hash, viewing
    assert kept.stem.endswith(version_of(*makers))


@pytest.mark.parametrize("orientation", range(10))
def test_a_photo_is_turned_as_pillow_turns_it(orientation, rng, tmp_path):
    """An invalid orientation, 0 or 9, changes nothing."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(rng.integers(0, 256, (8, 12, 3), np.uint8)).save(tmp_path / "photo.png", exif=exif)
    with Image.open(tmp_path / "photo.png") as photo:
        expected = np.asarray(ImageOps.exif_transpose(photo))
    np.testing.assert_array_equal(decode_upright((tmp_path / "photo.png").read_bytes()), expected)


def test_a_photo_is_recognized_under_another_name_and_in_records(rectangles, tmp_path):
    train, val = (open_coco(rectangles / f"{part}.json", rectangles / part) for part in ("train", "val"))
    check_unseen(content_hashes(train), val, "A detector")  # both have a 0.png, with different pictures
    content = json.loads((rectangles / "val.json").read_text())
    shutil.copytree(rectangles / "val", tmp_path / "val")
    shutil.copy(rectangles / "train" / "7.png", tmp_path / "val" / "2.png")
    (tmp_path / "val.json").write_text(json.dumps(content))
    mixed = open_coco(tmp_path / "val.json", tmp_path / "val")
    with pytest.raises(InputError, match=r"A detector is trained on 1 of the 6 photos of val, such as .*val/2\.png"):
        check_unseen(content_hashes(train), mixed, "A detector")
    records = replace(train.select([3, 7]), in_records=True)
    np.testing.assert_array_equal(content_hashes(records), content_hashes(train)[[3, 7]])


@pytest.mark.long
def test_a_detector_s_file_knows_the_photos_it_has_learned_from(rectangles, classifier, tmp_path):
    train = open_coco(rectangles / "train.json", rectangles / "train")
    model = FasterRCNN(classifier, train.classes)
    model.trained_on = content_hashes(train)
    model.save(tmp_path / "detector.keras")
    loaded = load_detector(tmp_path / "detector.keras")
    np.testing.assert_array_equal(loaded.trained_on, content_hashes(train))
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    with pytest.raises(InputError, match=r"detector\.keras is trained on 12 of the 12 photos of train"):
        check_unseen(loaded.trained_on, train, "detector.keras")
