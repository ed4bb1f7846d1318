"""The scan names and leaves out what does not decode, once."""

import os

import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import scan


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(200):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / f"{i:03d}.JPEG")
    return folder


def paths(folder):
    return sorted(str(path) for path in folder.iterdir())


def test_damaged_files_are_named_counted_and_left_out(images, capsys):
    whole = (images / "007.JPEG").read_bytes()
    (images / "007.JPEG").write_bytes(whole[: len(whole) // 3])
    (images / "008.JPEG").write_bytes(b"no image")
    good = scan.readable_images(images, paths(images))
    assert len(good) == 198
    said = capsys.readouterr().err
    assert "007.JPEG" in said
    assert "008.JPEG" in said
    assert "2 of 200 images" in said


def test_above_one_percent_it_stops(images):
    for i in range(3):
        (images / f"{i:03d}.JPEG").write_bytes(b"no image")
    with pytest.raises(
        InputError, match=r"3 of 200 images in .* do not decode, more than 1% \(the first is .*000.JPEG"
    ):
        scan.readable_images(images, paths(images))


def test_only_new_and_changed_files_are_decoded_again(images, monkeypatch):
    decoded = []
    real = scan._problem
    monkeypatch.setattr(scan, "_problem", lambda path: decoded.append(path) or real(path))
    scan.readable_images(images, paths(images))
    assert len(decoded) == 200
    decoded.clear()
    scan.readable_images(images, paths(images))
    assert decoded == []
    (images / "003.JPEG").write_bytes(b"damaged since")
    Image.new("RGB", (9, 9)).save(images / "new.JPEG")
    good = scan.readable_images(images, paths(images))
    assert sorted(os.path.basename(path) for path in decoded) == ["003.JPEG", "new.JPEG"]
    assert len(good) == 200


def test_a_damaged_cache_is_made_again(images, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scan.readable_images(images, paths(images))
    (cache,) = (tmp_path / "cache").rglob("*.json")
    cache.write_text("{")
    assert len(scan.readable_images(images, paths(images))) == 200


def test_an_unwritable_cache_only_costs_another_scan(images, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(scan.readable_images(images, paths(images))) == 200
    assert "could not be kept" in capsys.readouterr().err
