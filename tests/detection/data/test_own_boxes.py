"""Photos with boxes as tools export them: each layout opens with the same objects, and wrong numbers are named."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.detection import BENCHMARKS, Detections, open_coco_sets, with_validation
from keras_resnet.detection.data import found_detection_sets

SIDES = (80, 60)  # width and height
CLASSES = ("helmet", "person")
OBJECTS = {  # class and corners in pixels, of each photo by part
    "train": {"a": [(1, (8, 6, 40, 36))], "b": [(0, (20, 15, 60, 45)), (1, (0, 0, 16, 12))], "c": []},
    "val": {"d": [(0, (40, 30, 80, 60))]},
}


def photo(path: Path, orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture, exif = Image.fromarray(np.full((SIDES[1], SIDES[0], 3), 90, np.uint8)), Image.Exif()
    exif[0x0112] = orientation
    picture.save(path, exif=exif)


def yolo_lines(objects) -> str:
    """YOLO's lines, by its definition."""
    lines = []
    for number, (x1, y1, x2, y2) in objects:
        values = ((x1 + x2) / 2 / SIDES[0], (y1 + y2) / 2 / SIDES[1], (x2 - x1) / SIDES[0], (y2 - y1) / SIDES[1])
        lines.append(f"{number} {' '.join(map(str, values))}\n")
    return "".join(lines)


def yolo(folder: Path, images: str, labels: str, parts: dict[str, str]) -> None:
    """Photos and labels of both parts, at ``images`` and ``labels`` with the name of the part in them."""
    for part, photos in OBJECTS.items():
        for name, objects in photos.items():
            photo(folder / images.format(parts[part]) / f"{name}.jpg")
            label = folder / labels.format(parts[part]) / f"{name}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            if objects:  # Ultralytics leaves out the file of a photo without objects
                label.write_text(yolo_lines(objects))


def roboflow_yolo(folder: Path) -> Path:
    """Roboflow's export: its paths begin one folder too high, and it names a test part that need not exist."""
    yolo(folder, "{}/images", "{}/labels", {"train": "train", "val": "valid"})
    (folder / "train" / "labels" / "c.txt").write_text("")
    (folder / "README.roboflow.txt").write_text("exported")
    (folder / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\n\nnc: 2\nnames: ['helmet', 'person']\n\n"
        "roboflow:\n  workspace: someone\n  project: helmets\n  version: 3\n  license: CC BY 4.0\n"
    )
    return folder


def ultralytics(folder: Path) -> Path:
    yolo(folder, "images/{}", "labels/{}", {"train": "train", "val": "val"})
    (folder / "data.yaml").write_text(
        "path: ../datasets/helmets # dataset root dir\ntrain: images/train # train images\n"
        "val: images/val\ntest: # none\n\nnames:\n  0: helmet\n  1: person\n"
    )
    return folder


def cvat_yolo(folder: Path) -> Path:
    """CVAT's Ultralytics export lists the photos of each part in a file."""
    yolo(folder, "images/{}", "labels/{}", {"train": "train", "val": "val"})
    for part, photos in OBJECTS.items():
        (folder / f"{part}.txt").write_text("".join(f"images/{part}/{name}.jpg\n" for name in photos))
    (folder / "data.yaml").write_text("names:\n  0: helmet\n  1: person\npath: .\ntrain: train.txt\nval: val.txt\n")
    return folder


def coco(photos: dict, first: int, name="{}.jpg") -> dict:
    """The content of a COCO file whose ids begin at ``first``."""
    annotations = [
        {"id": 0, "image_id": first + place, "category_id": first + number, "segmentation": [],
         "area": (x2 - x1) * (y2 - y1), "bbox": [x1, y1, x2 - x1, y2 - y1], "iscrowd": 0}
        for place, objects in enumerate(photos.values()) for number, (x1, y1, x2, y2) in objects
    ]  # fmt: skip
    for number, entry in enumerate(annotations):
        entry["id"] = first + number
    return {
        "images": [
            {"id": first + place, "width": SIDES[0], "height": SIDES[1], "file_name": name.format(key)}
            for place, key in enumerate(photos)
        ],
        "categories": [{"id": first + number, "name": text} for number, text in enumerate(CLASSES)],
        "annotations": annotations,
    }


def cvat_coco(folder: Path) -> Path:
    """CVAT's COCO export of a project with the subsets Train and Validation."""
    for part, subset in (("train", "Train"), ("val", "Validation")):
        for name in OBJECTS[part]:
            photo(folder / "images" / subset / f"{name}.jpg")
        content = coco(OBJECTS[part], 1)
        for image in content["images"]:
            image |= {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
        for entry in content["annotations"]:
            entry["attributes"] = {"occluded": False, "rotation": 0.0}
        (folder / "annotations").mkdir(exist_ok=True)
        content |= {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "year": ""}}
        (folder / "annotations" / f"instances_{subset}.json").write_text(json.dumps(content))
    return folder


def roboflow_coco(folder: Path) -> Path:
    for part, name in (("train", "train"), ("val", "valid")):
        for key in OBJECTS[part]:
            photo(folder / name / f"{key}.jpg")
        (folder / name / "_annotations.coco.json").write_text(json.dumps(coco(OBJECTS[part], 0)))
    return folder


def roboflow_csv(folder: Path) -> Path:
    """Roboflow's export for TensorFlow, which leaves out photos without objects."""
    for part, name in (("train", "train"), ("val", "valid")):
        lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
        for key, objects in OBJECTS[part].items():
            photo(folder / name / f"{key}.jpg")
            lines += [f"{key}.jpg,80,60,{CLASSES[number]},{','.join(map(str, box))}" for number, box in objects]
        (folder / name / "_annotations.csv").write_text("\n".join(lines))
    return folder


def own_csv(folder: Path) -> Path:
    """One list of all parts; a line without class and box is a photo without objects."""
    lines = ["path,class,xmin,ymin,xmax,ymax,split"]
    for part, photos in OBJECTS.items():
        for key, objects in photos.items():
            photo(folder / "photos" / f"{key}.jpg")
            boxes = [f"{CLASSES[number]},{','.join(map(str, box))}" for number, box in objects] or [",,,,"]
            lines += [f"photos/{key}.jpg,{box},{part}" for box in boxes]
    (folder / "boxes.csv").write_text("\n".join(lines))
    return folder


EXPORTS = [roboflow_yolo, ultralytics, cvat_yolo, cvat_coco, roboflow_coco, roboflow_csv, own_csv]


def contents(part) -> dict:
    """The objects of each photo by its name, as ``OBJECTS`` has them."""
    return {
        photo.file.stem: [
            (int(number), tuple(np.round(box, 6).tolist()))
            for box, number in zip(photo.objects.boxes, photo.objects.classes, strict=True)
        ]
        for photo in part.photos
    }


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.__name__)
def test_exports_of_tools_open_with_their_objects_and_are_scored(export, tmp_path):
    sets = open_coco_sets(str(export(tmp_path / "data")))
    assert sets.test is None
    for part, photos in OBJECTS.items():
        data, expected = sets.part(part), dict(photos)
        if export is roboflow_csv:
            expected.pop("c", None)
        assert data.classes == CLASSES
        assert contents(data) == expected
        assert {(photo.width, photo.height) for photo in data.photos} == {SIDES}
    detections = {
        photo.id: Detections(photo.objects.boxes, photo.objects.classes, np.ones(len(photo.objects.classes)))
        for photo in sets.train.photos
    }
    assert BENCHMARKS["coco"].score(sets.train, detections)["AP50"] == pytest.approx(1)


def test_label_studio_s_exports_are_one_part(tmp_path):
    """Its COCO export counts from 0 and names files below itself; its YOLO export has classes.txt and no data.yaml."""
    folder = tmp_path / "coco"
    for name in OBJECTS["train"]:
        photo(folder / "images" / f"{name}.jpg")
    content = coco(OBJECTS["train"], 0, "images/{}.jpg")
    for entry in content["annotations"]:
        entry["ignore"] = 0
    (folder / "result.json").write_text(json.dumps(content | {"info": {"contributor": "Label Studio"}}))
    text = tmp_path / "yolo"
    for name, objects in OBJECTS["train"].items():
        photo(text / "images" / f"{name}.jpg")
        (text / "labels").mkdir(exist_ok=True)
        (text / "labels" / f"{name}.txt").write_text(yolo_lines(objects))
    (text / "classes.txt").write_text("helmet\nperson\n")
    (text / "notes.json").write_text("{}")
    for export in (folder, text):
        sets = open_coco_sets(str(export))
        assert list(sets.openers) == ["train"]
        assert (sets.train.classes, contents(sets.train)) == (CLASSES, OBJECTS["train"])


def test_a_task_of_cvat_is_one_part(tmp_path):
    for name in OBJECTS["train"]:
        photo(tmp_path / "images" / "default" / f"{name}.jpg")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "instances_default.json").write_text(json.dumps(coco(OBJECTS["train"], 1)))
    assert contents(open_coco_sets(str(tmp_path)).train) == OBJECTS["train"]
    (tmp_path / "images" / "default").rename(tmp_path / "moved")  # older versions put them into images/ itself
    shutil.rmtree(tmp_path / "images")
    (tmp_path / "moved").rename(tmp_path / "images")
    assert contents(open_coco_sets(str(tmp_path)).train) == OBJECTS["train"]


@pytest.mark.parametrize(("shape", "points"), [("[2, 2]", "0.1 0.2 0.9 0.8"), ("[2, 3]", "0.1 0.2 1 0.9 0.8 0")])
def test_the_points_of_a_pose_do_not_change_its_box(shape, points, tmp_path):
    photo(tmp_path / "images" / "train" / "a.jpg")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text(f"0 0.5 0.5 0.25 0.5 {points}\n")
    (tmp_path / "data.yaml").write_text(f"train: images/train\nkpt_shape: {shape}\nnames: [person]\n")
    (only,) = open_coco_sets(str(tmp_path)).train.photos
    assert only.objects.boxes.tolist() == [[30, 15, 50, 45]]


def test_outlines_become_the_boxes_around_them(tmp_path):
    """As Ultralytics takes a polygon's corners; an oriented box has four."""
    folder = ultralytics(tmp_path)
    (folder / "labels" / "val" / "d.txt").write_text("1 0.5 0.5 1 0.75 0.75 1\n0 0.1 0.2 0.3 0.1 0.5 0.4 0.2 0.5\n")
    expected = [(1, (40.0, 30.0, 80.0, 60.0)), (0, (8.0, 6.0, 40.0, 30.0))]
    assert contents(open_coco_sets(str(folder)).validation)["d"] == expected


def test_yolo_s_boxes_are_of_the_picture_as_a_viewer_shows_it(tmp_path):
    """Ultralytics turns photos by EXIF: a left half of a photo on its side is the upper half of the stored one."""
    folder = ultralytics(tmp_path)
    file = folder / "images" / "val" / "d.jpg"
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[30:] = 255  # the lower half, on the left once it is turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(file, exif=exif, quality=100)
    (folder / "labels" / "val" / "d.txt").write_text("0 0.25 0.5 0.5 1\n")
    val = open_coco_sets(str(folder)).validation
    (only,) = val.photos
    assert (only.width, only.height, only.orientation) == (60, 80, 6)
    np.testing.assert_array_equal(only.objects.boxes, [[0, 0, 30, 80]])
    picture = val.picture(0).numpy()
    assert picture[:, :28].min() > 200
    assert picture[:, 32:].max() < 50


WRONG_LINES = {
    "0 40 30 20 20": "has the number 40: boxes in this format are shares of the picture's sides, from 0 to 1",
    "2 0.5 0.5 0.1 0.1": r"line 1 has the class 2, and there are 2, counted from 0",
    "helmet 0.5 0.5 0.1 0.1": "which is not a class number, then the box's centre",
    "0 0.5 0.5 0.1": "has 4 finite numbers",
    "0 0.5 0.5 0.1 0.1 0.9": "has 6 finite numbers",
    "0 0.5 0.5 nan 0.1": "has 5 finite numbers",
    "0 0.5 0.5 -0.1 0.1": "has a negative width or height",
}


@pytest.mark.parametrize("line", WRONG_LINES)
def test_wrong_lines_of_yolo_are_named(line, tmp_path):
    folder = ultralytics(tmp_path)
    (folder / "labels" / "val" / "d.txt").write_text(line)
    with pytest.raises(InputError, match=WRONG_LINES[line]):
        _ = open_coco_sets(str(folder)).validation


BOMB = "[&l0 [x], " + ", ".join(f"&l{n + 1} [{', '.join([f'*l{n}'] * 9)}]" for n in range(20)) + "]"  # 9 ** 20 values
WRONG_YAML = {
    "train: images/train": "must list the names of its classes",
    "train: images/none\nnames: [a]": "names 'images/none', and there is no",
    "train: images/train\nnames: [a, a]": "names the class 'a' twice",
    "train: images/train\nnames: {1: a}": "must number its names from 0",
    "train: images/train\nnc: 3\nnames: [a]": "has another number for nc than its 1 names",
    "train: 5\nnames: [a]": "has a path or part that is no text",
    "names: [a]": "names no photos",
    "train: images/train\nnames: " + BOMB: "must list the names of its classes as texts",
    f"train: {BOMB}\nnames: [a]": "has a path or part that is no text",
    "train: images/train\nnames: [a]\nnc: " + BOMB: "has another number for nc",
    "train: images/train\nnames: [a]\npath: " + BOMB: "has a path or part that is no text",
    "a: " + "[" * 10_000: "is no YAML file",
    "a: [b": "is no YAML file",
    "- a": "is no data.yaml",
    "train: !!python/object/apply:os.system ['touch {}']\nnames: [a]": "is no YAML file",
    "train: labels\nnames: [a]": "There are no photos in",
    "train: images/empty\nnames: [a]": "No photo of .* has its boxes, which belong into such files as .*labels",
}


@pytest.mark.parametrize("text", WRONG_YAML)
@pytest.mark.long
def test_wrong_files_of_ultralytics_are_named_and_run_nothing(text, tmp_path):
    folder = ultralytics(tmp_path / "data")
    photo(folder / "images" / "empty" / "z.jpg")
    mark = tmp_path / "mark"
    (folder / "data.yaml").write_text(text.replace("{}", str(mark)) if "touch" in text else text)
    with pytest.raises(InputError, match=WRONG_YAML[text]):
        _ = open_coco_sets(str(folder)).train
    assert not mark.exists()


WRONG_TABLES = {
    "path,label,xmin\na.jpg,cat,1": "is no list of boxes: its first line must name the columns",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,cat,1,2": "line 2 has 4 of 6 fields",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,cat,40,30,20,10": "if the last two are the width and height of the box",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,cat,0.1,0.1,0.5,0.5": "No box of .* has a number above 1",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,cat,a,1,2,3": "which are not all numbers",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,,1,1,2,3\na.jpg,cat,1,1,2,3": "line 2 has a box without a class",
    "path,class,xmin,ymin,xmax,ymax\nnone.jpg,cat,1,1,2,3": "lists 1 images that are missing",
    "path,class,xmin,ymin,xmax,ymax,split\na.jpg,cat,1,1,2,3,later": "has the split 'later'",
    "path,class,xmin,ymin,xmax,ymax,width,height\na.jpg,cat,1,1,2,3,60,80": "is 80 x 60 and not 60 x 80",
    "path,class,xmin,ymin,xmax,ymax\na.jpg,,,,,": "has no boxes",
}


@pytest.mark.parametrize("text", WRONG_TABLES)
def test_wrong_tables_are_named(text, tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "boxes.csv").write_text(text)
    with pytest.raises(InputError, match=WRONG_TABLES[text]):
        _ = open_coco_sets(str(tmp_path)).train


def test_lists_of_photos_for_classifiers_are_no_boxes(tmp_path):
    photo(tmp_path / "a.jpg")
    (tmp_path / "photos.csv").write_text("path,label\na.jpg,cat\n")
    assert found_detection_sets(str(tmp_path / "photos.csv")) is None
    (tmp_path / "other.csv").write_text("filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,0,0,20,10\n")
    assert contents(found_detection_sets(str(tmp_path / "other.csv")).train) == {"a": [(0, (0.0, 0.0, 20.0, 10.0))]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y, w, h: [x / 80, y / 60, w / 80, h / 60], "No box of .*train.json has a number above 1"),
        (lambda x, y, w, h: [x, y, x + w, y + h], "if their last two numbers were the right and lower edge"),
    ],
    ids=["shares", "corners"],
)
def test_coco_files_with_other_numbers_are_refused(change, words, tmp_path):
    """Of boxes in the right half of their photos, corners taken for sides reach beyond them."""
    photos = {"a": [(0, (50, 35, 70, 55)), (1, (40, 20, 75, 59))], "b": [(0, (2, 2, 10, 9))]}
    for name in photos:
        photo(tmp_path / "train" / f"{name}.jpg")
    content = coco(photos, 1)
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert contents(open_coco_sets(str(tmp_path)).train) == photos
    for entry in content["annotations"]:
        entry["bbox"] = change(*entry["bbox"])
    (tmp_path / "train.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        _ = open_coco_sets(str(tmp_path)).train


def test_files_that_are_no_pictures_are_named_and_left_out(tmp_path, capsys):
    folder = ultralytics(tmp_path)
    (folder / "images" / "train" / "b.jpg").write_bytes(b"none")
    assert set(contents(open_coco_sets(str(folder)).train)) == {"a", "c"}
    assert re.search(r"1 file is no picture and is left out, such as .*b\.jpg", capsys.readouterr().out)


def test_without_a_validation_part_some_photos_of_each_class_become_one(tmp_path):
    """By content: copies fall on one side, and what files are called decides nothing."""
    rng = np.random.default_rng(0)
    for place in range(30):
        number, name = int(place % 10 == 0), f"{place:02d}"
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "labels").mkdir(exist_ok=True)
        pixels = rng.integers(0, 255, (60, 80, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
        (tmp_path / "labels" / f"{name}.txt").write_text(yolo_lines([(0, (1, 1, 9, 9)), (number, (20, 20, 40, 40))]))
    shutil.copy(tmp_path / "images" / "03.png", tmp_path / "images" / "50.png")
    shutil.copy(tmp_path / "labels" / "03.txt", tmp_path / "labels" / "50.txt")
    (tmp_path / "data.yaml").write_text("train: images\nnames: [helmet, person]\n")
    sets = with_validation(open_coco_sets(str(tmp_path)))
    parts = {name: {photo.file.stem for photo in sets.part(name).photos} for name in ("train", "val")}
    assert len(parts["train"]) + len(parts["val"]) == 31
    assert not parts["train"] & parts["val"]
    assert len(parts["val"]) in (5, 6)  # 15 % of 28 (27 contents) and of 3
    assert ({"03", "50"} <= parts["val"]) or ({"03", "50"} <= parts["train"])
    assert all(
        len({*(number for photo in sets.part(name).photos for number in photo.objects.classes)}) == 2 for name in parts
    )
    assert with_validation(sets) is sets
    tools = BENCHMARKS["coco"].open  # by which they open the part that a run held out
    assert [photo.file for photo in tools(str(tmp_path), None, "val").photos] == [
        p.file for p in sets.validation.photos
    ]
    assert len(tools(str(tmp_path), None, "train")) == 31
    scored = {photo.id for photo in sets.validation.photos}
    assert {image["id"] for image in sets.validation.dataset["images"]} == scored
