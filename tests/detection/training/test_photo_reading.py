"""The photos of a run that goes on: those that it began with, in their places, or a refusal."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from run_folders import run_of

from keras_resnet import InputError
from keras_resnet.detection import open_coco
from keras_resnet.detection.training.photo_reading import as_begun, readable


@pytest.fixture
def photos(rectangles, tmp_path):
    shutil.copytree(rectangles, tmp_path / "data")
    return open_coco(tmp_path / "data" / "train.json", tmp_path / "data" / "train")


def again(photos, workdir):
    return as_begun(photos, readable(photos), workdir, "train")


def test_a_run_keeps_the_places_of_its_photos_or_is_refused(photos, tmp_path, capsys):
    """Files may be lost, and photos be added; but none may lose its annotations, or be put into another part."""
    workdir = run_of(tmp_path / "run", steps=[0])
    assert len(again(photos.first(11), workdir)) == 11
    run_of(workdir)
    photos.photos[3].file.unlink()
    assert [photo.id for photo in again(photos, workdir).photos] == list(range(11))
    assert "the next readable photo replaces each" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"began with 1 photo that train no longer lists, such as 5\.png, and would"):
        again(photos.select([0, 1, 2, 3, 4, *range(6, 12)]), workdir)
    assert "replaces each" not in capsys.readouterr().err


def test_a_photo_of_another_folder_leaves_the_run_its_photos(photos, tmp_path):
    """Then the photos' common folder is another one, and some of their paths may be absolute and others not."""
    workdir = run_of(tmp_path / "run", steps=[0])
    again(photos, workdir)
    run_of(workdir)
    added = replace(photos.photos[0], id=12, file=tmp_path / "data" / "val" / "0.png")
    relative = (replace(photo, file=Path(os.path.relpath(photo.file))) for photo in photos.photos)
    more = replace(photos, photos=(added, *relative), reader=None)
    continued = again(more, workdir)
    assert [photo.id for photo in continued.photos] == list(range(12))
    assert [continued.reader.fetch(n) for n in range(12)] == [photos.reader.fetch(n) for n in range(12)]
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = open_coco(tmp_path / "moved" / "train.json", tmp_path / "moved" / "train")
    assert len(again(moved, workdir)) == 12
