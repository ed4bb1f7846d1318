"""Boxes of other formats in COCO's, as a user converts them."""

import io
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from programs import load_program, run

from keras_resnet.detection import open_coco_sets
from keras_resnet.detection.data import found_detection_sets


@pytest.fixture
def turned(tmp_path):
    """A YOLO folder with a photo that EXIF turns on its side and one of two classes upright."""
    folder = tmp_path / "yolo"
    for place, orientation in enumerate((6, 1)):
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "labels").mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / "images" / f"{place}.JPG", exif=exif)
        (folder / "labels" / f"{place}.txt").write_text(f"{place} 0.25 0.5 0.5 1\n")
    (folder / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    return folder


@pytest.mark.long
def test_what_is_converted_is_what_was_read(turned, tmp_path):
    out = tmp_path / "coco"
    done = run("tools/convert_boxes.py", turned, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "train.json: 2 photos, 2 boxes of 2 classes" in done.stdout
    before, after = open_coco_sets(str(turned)).train, open_coco_sets(str(out)).train
    assert after.classes == before.classes == ("cat", "dog")
    for a, b in zip(before.photos, after.photos, strict=True):
        assert (a.width, a.height, a.orientation) == (b.width, b.height, b.orientation)
        np.testing.assert_allclose(a.objects.boxes, b.objects.boxes)
        assert a.file.read_bytes() == b.file.read_bytes()
    again = run("tools/convert_boxes.py", turned, "--out", out)
    assert (again.returncode, "is not empty: give a new folder" in again.stderr) == (2, True)


def test_a_conversion_that_is_cut_off_is_no_data_set(turned, tmp_path):
    """A photo of the second part vanishes before it is copied: without that part the first would be divided."""
    shutil.copytree(turned / "images", turned / "val" / "images")
    shutil.copytree(turned / "labels", turned / "val" / "labels")
    for number in range(2):
        with (turned / "val" / "images" / f"{number}.JPG").open("ab") as file:
            file.write(b"another")
    (turned / "data.yaml").write_text("train: images\nval: val/images\nnames: [cat, dog]\n")
    tool = load_program("tools/convert_boxes.py")
    tool._check = lambda part: (turned / "val" / "images" / "1.JPG").unlink(missing_ok=True)  # once all are listed
    with pytest.raises(FileNotFoundError):
        tool.ConvertBoxes(str(turned), tmp_path / "coco").run()
    assert found_detection_sets(str(tmp_path / "coco")) is None


@pytest.mark.long
def test_a_coco_file_scores_after_as_before(tmp_path):
    """Areas are those of masks, an object without area counts as missed, and a part may keep its objects to itself."""
    folder, out = tmp_path / "tool", tmp_path / "coco"
    image = {"id": "photo-7", "file_name": "a b.png", "width": 80, "height": 60, "license": 3}
    content = {"images": [image], "categories": [{"id": 5, "name": "cat"}, {"id": 9, "name": "dog"}]}
    boxes = [([10, 10, 20, 20], 5, 1.0, 0), ([0, 0, 90, 50], 9, 20.5, 1), ([70, 50, 0, 5], 9, 0, 0)]
    entries = [
        {"id": number, "image_id": "photo-7", "category_id": category, "bbox": box, "area": area, "iscrowd": crowd}
        for number, (box, category, area, crowd) in enumerate(boxes)
    ]
    for name, more in (("train", {"annotations": entries}), ("test", {})):
        (folder / name).mkdir(parents=True)
        Image.new("RGB", (80, 60)).save(folder / name / "a b.png")
        (folder / f"{name}.json").write_text(json.dumps(content | more))
    done = run("tools/convert_boxes.py", folder, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "train.json: 1 photos, 3 boxes of 2 classes" in done.stdout
    assert "test.json: 1 photos, no annotations of 2 classes" in done.stdout
    before, after = open_coco_sets(str(folder)), open_coco_sets(str(out))
    assert after.train.dataset["annotations"] == before.train.dataset["annotations"] == entries
    assert after.train.dataset["images"] == [image | {"file_name": "000000.png"}]
    assert (after.train.categories, after.train.photos[0].id) == ((5, 9), "photo-7")
    assert (after.train.annotated, after.test.annotated, len(after.test)) == (True, False, 1)


@pytest.mark.parametrize(("orientation", "height"), [(3, 60), (6, 80)])
@pytest.mark.long
def test_what_coco_s_format_cannot_say_is_refused(turned, tmp_path, orientation, height):
    """COCO's files tell by its size whether a photo is turned, which half a turn and a square photo keep."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.zeros((height, 80, 3), np.uint8)).save(turned / "images" / "0.JPG", exif=exif)
    done = run("tools/convert_boxes.py", turned, "--out", tmp_path / "coco")
    assert (done.returncode, "save it upright" in done.stderr) == (2, True)
    assert not (tmp_path / "coco").exists()
    done = run("tools/convert_boxes.py", tmp_path, "--out", tmp_path / "coco")
    assert (done.returncode, "has no boxes in a known format" in done.stderr) == (2, True)


def test_a_terminal_sees_how_many_photos_are_copied(turned, tmp_path, monkeypatch):
    """A hundred thousand photos are copied in minutes."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    load_program("tools/convert_boxes.py").ConvertBoxes(str(turned), tmp_path / "coco").run()
    assert "copying train: " in terminal.getvalue()
    assert "/2 [" in terminal.getvalue()
