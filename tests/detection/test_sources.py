"""Data sets by the layout of their folder."""

import shutil

import pytest

from keras_resnet import InputError
from keras_resnet.detection import first, open_coco_sets, open_voc_sets


def test_own_photos_coco_s_archives_and_a_single_part(rectangles, tmp_path):
    own = open_coco_sets(str(rectangles))
    assert (len(own.train), len(own.validation), own.test) == (12, 6, None)
    official = tmp_path / "coco"
    (official / "annotations").mkdir(parents=True)
    for part, name in (("train", "train2017"), ("val", "val2017")):
        shutil.copytree(rectangles / part, official / name)
        shutil.copy(rectangles / f"{part}.json", official / "annotations" / f"instances_{name}.json")
    found = open_coco_sets(str(official))
    assert (found.train.name, len(found.train), len(found.part("val"))) == ("instances_train2017", 12, 6)
    with pytest.raises(InputError, match="coco has no test part"):
        found.part("test")
    single = tmp_path / "single"
    shutil.copytree(rectangles / "val", single / "images")
    shutil.copy(rectangles / "val.json", single / "instances.json")
    assert open_coco_sets(str(single)).validation is None


def test_nothing_of_the_kind_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no detection data in COCO's layout, one of train\.json with train/"):
        open_coco_sets(str(tmp_path))
    with pytest.raises(InputError, match="as the VOC archives unpack"):
        open_voc_sets(str(tmp_path), None, "07+12", "07")


def test_the_first_photos_keep_their_annotations(rectangles):
    whole = open_coco_sets(str(rectangles)).train
    part = first(whole, 3)
    assert (part.name, [photo.id for photo in part.photos]) == ("first 3 of train", [0, 1, 2])
    assert {entry["image_id"] for entry in part.dataset["annotations"]} == {0, 1, 2}
    assert first(whole, 100).name == "train"
