"""ImageNet DET as its archives unpack: lists, WordNet ids, and inclusive corners counted from 0."""

import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.detection import open_det


@pytest.fixture
def det(tmp_path):
    """Two photos of the validation part, one with two objects; a list and a file of classes."""
    for name, objects in (("a", (("n01", (0, 0, 9, 19)), ("n02", (5, 5, 39, 29)))), ("b", ())):
        annotation = tmp_path / "ILSVRC" / "Annotations" / "DET" / "val" / f"{name}.xml"
        image = tmp_path / "ILSVRC" / "Data" / "DET" / "val" / f"{name}.JPEG"
        for path in (annotation, image):
            path.parent.mkdir(parents=True, exist_ok=True)
        listed = "".join(
            f"<object><name>{wnid}</name><bndbox><xmin>{x1}</xmin><xmax>{x2}</xmax><ymin>{y1}</ymin><ymax>{y2}</ymax>"
            "</bndbox></object>"
            for wnid, (x1, y1, x2, y2) in objects
        )
        annotation.write_text(f"<annotation><size><width>40</width><height>30</height></size>{listed}</annotation>")
        Image.new("RGB", (40, 30)).save(image)
    (tmp_path / "val2.txt").write_text("b 1\nval/a 2\n")
    (tmp_path / "classes.txt").write_text("n02 accordion\nn01 air plane\n")
    return tmp_path


def test_the_photos_of_a_list_have_their_objects(det):
    data = open_det(det, det / "val2.txt", det / "classes.txt")
    assert (data.name, data.classes, [p.id for p in data.photos]) == ("val2", ("accordion", "air plane"), ["b", "a"])
    objects = data.photos[1].objects
    assert objects.boxes.tolist() == [[0, 0, 10, 20], [5, 5, 40, 30]]
    assert objects.classes.tolist() == [1, 0]
    assert not len(data.photos[0].objects.boxes)


def test_missing_files_and_other_classes_are_named(det):
    with pytest.raises(InputError, match=r"none\.txt cannot be read"):
        open_det(det, det / "none.txt", det / "classes.txt")
    (det / "classes.txt").write_text("n01 plane\n")
    with pytest.raises(InputError, match=r"a\.xml has an object of the unknown class 'n02'"):
        open_det(det, det / "val2.txt", det / "classes.txt")
    (det / "classes.txt").write_text("n01\n")
    with pytest.raises(InputError, match="a class on each line"):
        open_det(det, det / "val2.txt", det / "classes.txt")
