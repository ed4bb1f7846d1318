"""The pages of what lies in data sets: what was done to them on purpose is found, counted and said."""

import json
import os
import re
import shutil

import numpy as np
import pytest
from messy_photos import RARE, make_messy
from PIL import Image
from programs import run

from keras_resnet import InputError
from keras_resnet.data import open_data
from keras_resnet.detection.data import found_detection_sets
from keras_resnet.evaluation import Embeddings
from keras_resnet.evaluation.label_quality import LabelRanking
from keras_resnet.evaluation.projector import write_projector
from keras_resnet.inspection import Inspection, inspect_boxes, inspect_photos, write_inspection, write_label_list


@pytest.mark.long
def test_a_messy_folder_as_a_user_inspects_it(real_data, tmp_path):
    messy = make_messy(real_data("imagenette") / "train", tmp_path / "pets")
    done = run("tools/inspect_data.py", messy.folder, "--out", tmp_path / "look.html")
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "look.json").read_text())
    copies = {tuple(sorted(row["photo"] for row in group)) for group in content["exact_copies"]}
    assert copies == {tuple(sorted(str(messy.folder / path) for path in pair)) for pair in messy.copies}
    assert content["near_copies"] == []
    assert sum(sum(counts.values()) for counts in content["classes"].values()) == 298
    assert content["classes"][RARE] == {"train": 5, "val": 1}
    for words in (
        "Extra copies: 5, such as ",
        f"{RARE} 5: a network that hardly ever answers with rare classes",
        "3 files cannot be decoded",
        "EXIF turns 1 of the photos",
        "1 photo with a transparency or mask channel",
        "HEIC photos, which are not read (convert them to JPEG): 1",
    ):
        assert words in done.stdout
        assert any(words in sentence for sentence in content["advice"])
    page = (tmp_path / "look.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!#|data:)', page) == []  # nothing from elsewhere
    assert page.count("data:image/jpeg") == len(messy.copies) + 6
    assert page.count("<script") == page.count("<script>") == 1  # that sorts tables


@pytest.mark.long
def test_copies_in_both_parts_and_with_two_labels_are_said_first(photo_folder):
    shutil.copyfile(photo_folder / "train" / "cat" / "2.JPEG", photo_folder / "val" / "dog" / "9.JPEG")
    inspection = inspect_photos(open_data(str(photo_folder)))
    assert inspection.advice[0].startswith("1 photo of validation or test is in training too, such as dog/9.JPEG")
    assert inspection.advice[1].startswith(
        "1 group of copies under different labels, such as cat/2.JPEG and dog/9.JPEG"
    )
    (few,) = [sentence for sentence in inspection.advice if "validation photos of" in sentence]
    assert few.endswith("Of photos without a split of their own, five runs with --folds 5 judge every one.")


@pytest.mark.long
@pytest.mark.parametrize(
    ("small", "way_out"), [(4, "--image-size 96 fits them and is faster."), (1, "take larger ones if there are any.")]
)
def test_the_advice_on_small_photos_fits_most_photos_and_enlarges_none(small, way_out, tmp_path):
    """Where most photos are large, their median says nothing about the few small ones."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(6):
            side = 100 if number < small else 500
            Image.fromarray(rng.integers(0, 255, (side, side, 3), np.uint8)).save(tmp_path / label / f"{number}.jpg")
    inspection = inspect_photos(open_data(str(tmp_path)))
    (sentence,) = [sentence for sentence in inspection.advice if "would be enlarged" in sentence]
    assert sentence.endswith(way_out)


def test_pages_and_lists_say_names_of_files_that_are_no_utf_8(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    texts = [np.array([text]) for text in ("train", name, "0", "cat")]
    photos = Embeddings(np.zeros((1, 2), np.float16), np.zeros(1, np.int32), *texts, "m")
    ranking, white = LabelRanking(*np.zeros((4, 1), int), 1), np.full((8, 8, 3), 255, np.uint8)
    write_label_list("photos", ranking, photos, lambda position: white, tmp_path / "labels.html")
    write_inspection(Inspection("photos", "", [f"such as {name}"], {}, []), tmp_path / "look.html")
    write_projector(photos, tmp_path)
    for file in ("labels.html", "labels.csv", "look.html", "look.json", "metadata.tsv"):
        assert "caf\\udce9.jpg" in (tmp_path / file).read_text(encoding="utf-8")


@pytest.mark.long
def test_names_of_files_are_escaped(photo_folder, tmp_path):
    (photo_folder / "train" / "cat").rename(photo_folder / "train" / "<b>cat")
    (photo_folder / "val" / "cat").rename(photo_folder / "val" / "<b>cat")
    done = run("tools/inspect_data.py", photo_folder, "--out", tmp_path / "look.html")
    assert done.returncode == 0, done.stderr
    assert "<b>cat" not in (tmp_path / "look.html").read_text()


def test_data_without_files_are_refused(real_data):
    with pytest.raises(InputError, match="cifar10 has no photos in files of their own"):
        inspect_photos(open_data("cifar10", real_data("tfds")))


@pytest.fixture
def spoiled(rectangles, tmp_path):
    """The rectangles with a box outside, one without area, one twice, a tiny one, a class without any, and a copy."""
    folder = tmp_path / "spoiled"
    shutil.copytree(rectangles, folder)
    content = json.loads((folder / "train.json").read_text())
    content["categories"].append({"id": 9, "name": "green"})
    first = content["annotations"][0]
    for number, box in enumerate(([80, 80, 40, 10], [5, 5, 0, 4], first["bbox"], [30, 90, 2, 2])):
        category = first["category_id"]
        content["annotations"].append(first | {"id": 1000 + number, "bbox": box, "category_id": category})
    content["images"].append({"id": 99, "file_name": "99.png", "width": 96, "height": 96})
    Image.new("RGB", (96, 96)).save(folder / "train" / "99.png")
    (folder / "train.json").write_text(json.dumps(content))
    shutil.copyfile(folder / "train" / "3.png", folder / "val" / "4.png")
    val = json.loads((folder / "val.json").read_text())
    val["categories"] = content["categories"]
    (folder / "val.json").write_text(json.dumps(val))
    return folder


def test_a_spoiled_detection_set(spoiled):
    inspection = inspect_boxes(found_detection_sets(str(spoiled)))
    train = inspection.content["parts"]["train"]
    counts = {key: train[key]["boxes"] for key in ("outside", "without_area", "twice", "tiny")}
    assert counts == {"outside": 1, "without_area": 1, "twice": 1, "tiny": 1}
    assert train["without_boxes"] == 1
    assert train["classes"]["green"] == dict.fromkeys(train["classes"]["green"], 0)
    assert train["boxes"] == sum(train["classes"][name]["boxes"] for name in train["classes"])
    assert inspection.content["copies"] == [{"train": f"{spoiled}/train/3.png", "val": f"{spoiled}/val/4.png"}]
    text = "\n".join(inspection.advice)
    assert inspection.advice[0].startswith("1 photo is in two parts")
    for words in (
        "1 box beyond the edge",
        "1 box without area",
        "1 box on another",
        "with a side below",
        "is of green",
    ):
        assert words in text


@pytest.mark.long
def test_coco_photos_as_a_user_inspects_them(real_data, tmp_path):
    """939 boxes, two photos without any, nine classes without any: as the data's README says."""
    done = run("tools/inspect_data.py", real_data("coco128"), "--out", tmp_path / "look.html")
    assert done.returncode == 0, done.stderr
    train = json.loads((tmp_path / "look.json").read_text())["parts"]["train"]
    assert (train["photos"], train["boxes"], train["without_boxes"]) == (128, 939, 2)
    assert sum(about["boxes"] == 0 for about in train["classes"].values()) == 9
    assert all(
        counts["boxes"] == counts["small"] + counts["medium"] + counts["large"] for counts in train["classes"].values()
    )
    assert (tmp_path / "look.html").read_text().count("data:image/jpeg") == 12
