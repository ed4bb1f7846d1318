"""Data sets by the layout of their folder."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data import Shard
from keras_resnet.detection import (
    PROTOCOLS,
    DetectionSettings,
    ImageSize,
    detection_batches,
    open_coco,
    open_coco_sets,
    open_voc_sets,
    read_photos,
    train,
    with_validation,
)
from keras_resnet.detection.data.photos import join
from keras_resnet.detection.training.photo_reading import read_share, readable, with_files
from keras_resnet.weights import Preprocessing


def test_the_layouts_of_your_photos_coco_s_archives_and_a_single_part(rectangles, tmp_path):
    yours = open_coco_sets(str(rectangles))
    assert (len(yours.train), len(yours.validation), yours.test) == (12, 6, None)
    official = tmp_path / "coco"
    (official / "annotations").mkdir(parents=True)
    for part, name in (("train", "train2017"), ("val", "val2017")):
        shutil.copytree(rectangles / part, official / name)
        shutil.copy(rectangles / f"{part}.json", official / "annotations" / f"instances_{name}.json")
    sets = open_coco_sets(str(official))
    assert (sets.train.name, len(sets.train), len(sets.part("val"))) == ("instances_train2017", 12, 6)
    with pytest.raises(InputError, match="coco has no test part"):
        sets.part("test")
    single = tmp_path / "single"
    shutil.copytree(rectangles / "val", single / "images")
    shutil.copy(rectangles / "val.json", single / "instances.json")
    assert open_coco_sets(str(single)).validation is None


def test_a_folder_with_its_test_part_alone_opens(rectangles, tmp_path):
    content = json.loads((rectangles / "val.json").read_text())
    del content["annotations"]
    shutil.copytree(rectangles / "val", tmp_path / "test")
    (tmp_path / "test.json").write_text(json.dumps(content))
    sets = open_coco_sets(str(tmp_path))
    assert (sets.train, sets.validation, len(sets.test), sets.test.annotated) == (None, None, 6, False)
    assert not join([sets.test, sets.test]).annotated
    with pytest.raises(InputError, match="has no train part"):
        sets.part("train")


@pytest.mark.parametrize(("bare", "purpose"), [("train", "learn from"), ("val", "validate by")])
def test_parts_without_annotations_are_no_training_or_validation_parts(bare, purpose, rectangles, tmp_path):
    shutil.copytree(rectangles, tmp_path / "data")
    content = json.loads((rectangles / f"{bare}.json").read_text())
    del content["annotations"]
    (tmp_path / "data" / f"{bare}.json").write_text(json.dumps(content))
    sets = open_coco_sets(str(tmp_path / "data"))
    settings = DetectionSettings(model="ResNet18", workdir=tmp_path / "run")
    with pytest.raises(InputError, match=f"{bare} has no annotations to {purpose}: give photos with their objects"):
        train(settings, sets.train, sets.validation, PROTOCOLS["coco"])
    assert not (tmp_path / "run").exists()


def test_a_validation_part_without_objects_is_refused(rectangles, tmp_path):
    """Crowds do not count. All networks would score alike on it, and the first would stay the best."""
    shutil.copytree(rectangles, tmp_path / "data")
    content = json.loads((rectangles / "val.json").read_text())
    content["annotations"] = [entry | {"iscrowd": 1} for entry in content["annotations"]]
    (tmp_path / "data" / "val.json").write_text(json.dumps(content))
    sets = open_coco_sets(str(tmp_path / "data"))
    assert (sets.validation.has_objects, sets.train.has_objects) == (False, True)
    settings = DetectionSettings(model="ResNet18", workdir=tmp_path / "run")
    with pytest.raises(InputError, match="val has no photo with an object to validate by: annotate some"):
        train(settings, sets.train, sets.validation, PROTOCOLS["coco"])
    assert not (tmp_path / "run").exists()


def test_photos_too_few_to_hold_some_out_are_refused(rectangles, tmp_path):
    """One photo of each class, and three without objects, of which one would be held out."""
    shutil.copytree(rectangles / "train", tmp_path / "train")
    content = json.loads((rectangles / "train.json").read_text())
    content["categories"] = [{"id": number, "name": str(number)} for number in range(12)]
    box = {"bbox": [4, 4, 50, 50], "area": 2500, "iscrowd": 0}
    content["annotations"] = [box | {"id": n, "image_id": n, "category_id": n} for n in range(9)]
    (tmp_path / "train.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="too few photos to hold some out for validation: annotate two different"):
        with_validation(open_coco_sets(str(tmp_path)))
    del content["annotations"]
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert with_validation(open_coco_sets(str(tmp_path))).validation is None


def test_a_folder_without_detection_data_is_named(tmp_path):
    with pytest.raises(InputError, match=r"holds no detection data in COCO's layout, one of train\.json with train/"):
        open_coco_sets(str(tmp_path))
    with pytest.raises(InputError, match="as the VOC archives unpack"):
        open_voc_sets(str(tmp_path), None, "07+12", "07").part("train")


def test_scoring_a_validation_part_opens_no_other(rectangles, tmp_path):
    """The file of the training part is not JSON."""
    shutil.copytree(rectangles / "val", tmp_path / "val")
    shutil.copy(rectangles / "val.json", tmp_path / "val.json")
    (tmp_path / "train.json").write_text("{")
    sets = open_coco_sets(str(tmp_path))
    assert len(sets.part("val")) == 6
    with pytest.raises(InputError, match=r"train\.json is not a JSON file"):
        sets.part("train")


@pytest.mark.long
def test_files_that_do_not_decode_are_named_and_left_out_or_end_in_one_sentence(rectangles, tmp_path, capsys):
    images = tmp_path / "images"
    shutil.copytree(rectangles / "train", images)
    content = json.loads((rectangles / "train.json").read_text())
    for number in range(100, 300):  # so that one of them is below one in a hundred
        shutil.copy(images / "0.png", images / f"{number}.png")
        content["images"].append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 96})
    (images / "100.png").write_bytes(b"no picture")
    (tmp_path / "instances.json").write_text(json.dumps(content))
    data = open_coco_sets(str(tmp_path)).train
    kept = with_files(data, readable(data))
    assert {photo.id for photo in data.photos} - {photo.id for photo in kept.photos} == {100}
    assert 100 not in {image["id"] for image in kept.dataset["images"]}
    assert "100.png" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"100\.png does not decode"):
        list(read_photos(data))


@pytest.mark.long
def test_a_photo_that_does_not_decode_is_left_out_of_a_joined_set_too(rectangles, tmp_path, capsys):
    """ImageNet DET's val1 and train, as its recipe joins them."""
    parts = []
    for name in ("val1", "train"):
        shutil.copytree(rectangles / "train", tmp_path / name)
        content = json.loads((rectangles / "train.json").read_text())
        for number in range(100, 200):  # so that one of them is below one in a hundred
            shutil.copy(tmp_path / name / "0.png", tmp_path / name / f"{number}.png")
            content["images"].append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 96})
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        parts.append(open_coco(tmp_path / f"{name}.json", tmp_path / name))
    bad = tmp_path / "val1" / "3.png"
    bad.write_bytes(b"no picture")
    joined = join(parts)
    kept = with_files(joined, readable(joined))
    assert len(kept) == len(parts[0]) + len(parts[1]) - 1
    assert f"left out {bad}" in capsys.readouterr().err
    assert [photo.file for photo, _ in read_photos(kept)] == [
        photo.file for part in parts for photo in part.photos if photo.file != bad
    ]


def test_data_without_objects_cannot_be_trained_on(rectangles, tmp_path):
    content = json.loads((rectangles / "train.json").read_text()) | {"annotations": []}
    (tmp_path / "train.json").write_text(json.dumps(content))
    shutil.copytree(rectangles / "train", tmp_path / "train")
    with pytest.raises(InputError, match="train has no photo with an object to learn from"):
        detection_batches(open_coco_sets(str(tmp_path)).train, Preprocessing(mean=[0, 0, 0]), 2)


def test_the_first_photos_keep_their_annotations(rectangles):
    whole = open_coco_sets(str(rectangles)).train
    part = whole.first(3)
    assert (part.name, [photo.id for photo in part.photos]) == ("first 3 of train", [0, 1, 2])
    assert {entry["image_id"] for entry in part.dataset["annotations"]} == {0, 1, 2}
    assert whole.first(100).name == "train"


EPOCHS = 16  # after which a run of batches sorted by aspect ratio ends with an epoch


def heights(boxes):
    """Tops and bottoms, which mirroring does not change."""
    return tuple(sorted(map(tuple, boxes[:, 1::2].tolist())))


@pytest.mark.long
def test_lost_photos_are_replaced_in_training_and_missed_in_validation(rectangles, tmp_path, capsys):
    """The next photo with objects replaces one; a step is the same wherever training starts."""
    shutil.copytree(rectangles / "train", tmp_path / "train")
    content = json.loads((rectangles / "train.json").read_text())
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"] != 4]
    (tmp_path / "train.json").write_text(json.dumps(content))
    data = open_coco_sets(str(tmp_path)).train
    data = with_files(data, readable(data))
    (tmp_path / "train" / "3.png").unlink()
    (tmp_path / "train" / "11.png").write_bytes(b"damaged")

    def steps(start):
        batches = detection_batches(data, Preprocessing(mean=[0, 0, 0]), 1, ImageSize(96, 96), start_step=start)
        return [[part.numpy() for part in batch] for batch in batches.take(EPOCHS * 11 - start)]

    drawn = steps(0)
    for parts, again in zip(drawn[9:], steps(9), strict=True):
        for part, other in zip(parts, again, strict=True):
            np.testing.assert_array_equal(part, other)
    messages = capsys.readouterr().err
    assert (
        messages.count("3.png cannot be read: No such file or directory. In train the next readable photo replaces")
        == 1
    )
    assert messages.count("11.png no longer decodes: its content") == 1
    counts = Counter(heights(boxes[0]) for _, _, boxes, *_ in drawn)
    times = [counts[heights(photo.objects.boxes)] for photo in data.photos]
    assert times == [2 * EPOCHS, EPOCHS, EPOCHS, 0, 0, 2 * EPOCHS, *[EPOCHS] * 5, 0]
    lost = []
    images = [image for _, image in read_share(data, Shard(), lambda place, error: lost.append((place, str(error))))]
    assert [place for place, image in enumerate(images) if image is None] == [place for place, _ in lost] == [3, 11]
    assert "3.png cannot be read: No such file or directory" in lost[0][1]
    assert "11.png no longer decodes" in lost[1][1]
