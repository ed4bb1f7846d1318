"""ILSVRC's localization folders: boxes and classes as they are, and whatever is wrong counted and named."""

import numpy as np
import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.localization import open_loc, open_localization_sets

OBJECT = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
ENTITIES = '<!DOCTYPE a [<!ENTITY x "{}">]>'
CAT, DOG = "n01", "n02"


def add(root, part, name, *objects, before="", text=None):
    """A photo of 40 x 30 pixels, and its XML file unless ``text`` is False."""
    photo, xml = (root / "ILSVRC" / kind / "CLS-LOC" / part for kind in ("Data", "Annotations"))
    for folder in (photo, xml):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(photo / f"{name}.JPEG")
    size = "<size><width>40</width><height>30</height></size>"
    inside = "".join(OBJECT.format(*fields) for fields in objects)
    whole = f"{before}<annotation>{size}{inside}</annotation>" if text is None else text
    if whole is not False:
        (xml / f"{name}.xml").write_text(whole)


@pytest.fixture
def root(tmp_path):
    add(tmp_path, f"train/{CAT}", "a", (CAT, 0, 0, 9, 19), (CAT, 20, 5, 39, 29))
    add(tmp_path, f"train/{DOG}", "b", (DOG, 3, 4, 12, 15))
    add(tmp_path, "val", "c", (DOG, 0, 0, 19, 9))
    return tmp_path


def test_boxes_are_inclusive_from_zero_and_classes_the_folders(root):
    train, val = (open_loc(root, part) for part in ("train", "val"))
    assert train.classes == val.classes == (CAT, DOG)
    assert [photo.objects.classes.tolist() for photo in train.photos] == [[0, 0], [1]]
    assert train.photos[0].objects.boxes.tolist() == [[0, 0, 10, 20], [20, 5, 40, 30]]
    assert (val.photos[0].id, val.photos[0].objects.boxes.tolist()) == ("c", [[0, 0, 20, 10]])


def test_the_order_of_classes_comes_from_the_list_beside_the_archive(root):
    (root / "LOC_synset_mapping.txt").write_text("n02 dog\nn01 cat, house cat\n")
    assert open_loc(root, "val").classes == (DOG, CAT)
    assert open_loc(root, "val").photos[0].objects.classes.tolist() == [0]


def test_what_cannot_be_used_is_left_out_counted_and_named(root, capsys):
    secret = root / "secret"
    secret.write_text("n01")
    add(root, f"train/{CAT}", "none", text=False)
    add(root, f"train/{CAT}", "empty")
    add(root, f"train/{CAT}", "other", (DOG, 0, 0, 9, 9))
    add(root, f"train/{CAT}", "mixed", (DOG, 0, 0, 30, 20), (CAT, 1, 2, 10, 11))
    add(root, f"train/{CAT}", "unknown", ("n99", 0, 0, 9, 9))
    add(root, f"train/{CAT}", "broken", text="<annotation><size>")
    add(root, f"train/{CAT}", "entity", (CAT, 0, 0, 9, 9), before=ENTITIES.format("y" * 99))
    external = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]>'
    add(root, f"train/{CAT}", "external", ("&x;", 0, 0, 9, 9), before=external)
    add(root, f"train/{CAT}", "flat", (CAT, 9, 9, 8, 20))
    train = open_loc(root, "train")
    assert [photo.file.stem for photo in train.photos] == ["a", "mixed", "b"]
    assert train.photos[1].objects.boxes.tolist() == [[1, 2, 11, 12]]
    told = capsys.readouterr().err
    for count, what, name in (
        (1, "photos without an XML file of their boxes", "none.JPEG"),
        (2, "photos without boxes in their XML file", "empty.xml"),
        (1, "photos with boxes of another class alone", "other.xml"),
        (1, "photos with class names that are not in the list", "unknown.xml has an object of the unknown class 'n99'"),
        (3, "photos whose XML file cannot be used", "broken.xml"),
    ):
        (line,) = (line for line in told.splitlines() if what in line)
        assert f"{count} {what}" in line
        assert name in line
    assert "entity.xml is not an annotation file of VOC's: it declares a document type" in told
    assert "external.xml is not an annotation file of VOC's: it declares a document type" in told


def test_a_folder_of_nothing_that_can_be_used_is_refused(tmp_path):
    add(tmp_path, f"train/{CAT}", "none", text=False)
    with pytest.raises(InputError, match=r"No photo below .*train has boxes"):
        open_loc(tmp_path, "train")


def test_parts_are_those_there_are_and_a_test_part_has_no_boxes(root):
    add(root, "test", "d", text=False)
    sets = open_localization_sets(str(root))
    assert set(sets.openers) == {"train", "val", "test"}
    test = sets.part("test")
    assert (len(test), test.annotated, test.classes) == (1, False, (CAT, DOG))
