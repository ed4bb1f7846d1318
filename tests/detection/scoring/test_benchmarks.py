"""A benchmark opens the named part, also one without objects, and names it in its submission files."""

import json

import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.detection import BENCHMARKS, Detections, open_coco

FOUND = Detections([[0, 0, 10, 20]], [1], [0.5])
OBJECT = (
    "<object><name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    "</bndbox></object>"
)
ANNOTATION = f"<annotation><size><width>40</width><height>30</height></size>{OBJECT}</annotation>"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(path, format="JPEG")


@pytest.fixture
def devkit(tmp_path):
    """VOC 2007's test, 2012's train and val with a photo each, and 2012's test without annotations."""
    for year, listed in (("VOC2007", "test"), ("VOC2012", "train"), ("VOC2012", "val"), ("VOC2012", "test")):
        name = f"{year[3:]}_{listed}"
        for file, text in ((f"ImageSets/Main/{listed}.txt", f"{name}\n"), (f"Annotations/{name}.xml", ANNOTATION)):
            path = tmp_path / year / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if (year, path.suffix) != ("VOC2012", ".xml") or listed != "test":
                path.write_text(text)
        picture(tmp_path / year / "JPEGImages" / f"{name}.jpg")
    return tmp_path


@pytest.mark.parametrize(("benchmark", "part"), [("voc2007", "test"), ("voc2012", "train"), ("voc2012", "val")])
def test_voc_opens_the_year_and_list_that_are_named(devkit, benchmark, part, tmp_path):
    data = BENCHMARKS[benchmark].open(str(devkit), None, part)
    name = f"{benchmark[3:]}_{part}"
    assert ([photo.id for photo in data.photos], data.annotated) == ([name], True)
    BENCHMARKS[benchmark].write(tmp_path / "out", data, part, {name: FOUND})
    line = f"{name} 0.500000 1.000 1.000 10.000 20.000\n"
    assert (tmp_path / "out" / f"comp4_det_{part}_bicycle.txt").read_text() == line


def test_voc_2012_s_test_part_gives_files_without_annotations(devkit, tmp_path):
    data = BENCHMARKS["voc2012"].open(str(devkit), None, "test")
    assert (data.annotated, data.photos[0].width, data.photos[0].height) == (False, 40, 30)
    BENCHMARKS["voc2012"].write(tmp_path / "out", data.first(1), "test", {"2012_test": FOUND})
    assert (tmp_path / "out" / "comp4_det_test_bicycle.txt").read_text().startswith("2012_test 0.5")
    (devkit / "VOC2012" / "Annotations" / "2012_val.xml").unlink()
    with pytest.raises(InputError, match=r"2012_val\.xml cannot be read"):
        BENCHMARKS["voc2012"].open(str(devkit), None, "val")


def test_det_is_one_file_by_the_list_s_indexes(tmp_path):
    (tmp_path / "classes.txt").write_text("n01 accordion\nn02 airplane\n")
    (tmp_path / "test.txt").write_text("ILSVRC2012_test_00000007 3\nILSVRC2012_test_00000009 4\n")
    for number in (7, 9):
        picture(tmp_path / "Data" / "DET" / "test" / f"ILSVRC2012_test_0000000{number}.JPEG")
    data = BENCHMARKS["det"].open(str(tmp_path), None, "test")
    assert not data.annotated
    BENCHMARKS["det"].write(tmp_path / "out", data, "test", {"ILSVRC2012_test_00000009": FOUND})
    assert (tmp_path / "out" / "detections_test.txt").read_text() == "4 2 0.500000 0.000 0.000 9.000 19.000\n"
    assert len(list((tmp_path / "out").iterdir())) == 1
    with pytest.raises(InputError, match=r"val2\.txt cannot be read"):
        BENCHMARKS["det"].open(str(tmp_path), None, "val2")


def test_coco_s_image_info_has_photos_but_no_objects(tmp_path):
    image = {"id": 11, "file_name": "a.jpg", "width": 40, "height": 30}
    content = {"images": [image], "categories": [{"id": 3, "name": "red"}, {"id": 5, "name": "blue"}]}
    (tmp_path / "image_info_test-dev2017.json").write_text(json.dumps(content))
    picture(tmp_path / "test2017" / "a.jpg")
    data = open_coco(tmp_path / "image_info_test-dev2017.json", tmp_path / "test2017")
    assert (data.annotated, len(data), data.classes) == (False, 1, ("red", "blue"))
    BENCHMARKS["coco"].write(tmp_path / "out", data, "test", {11: FOUND})
    (file,) = (tmp_path / "out").iterdir()
    assert file.name == "detections_test-dev2017_results.json"
    assert json.loads(file.read_text())[0]["category_id"] == 5


@pytest.mark.parametrize("name", ["coco", "voc2007", "det"])
def test_the_home_folder_of_an_unknown_user_is_missing(name):
    with pytest.raises(InputError, match="~nobody-of-this-name"):
        BENCHMARKS[name].open("~nobody-of-this-name", None, "val")
