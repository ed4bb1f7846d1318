"""The files of COCO and VOC: how they are read, which faults are repaired, and which are refused by file and id."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageOps

from keras_resnet import InputError
from keras_resnet.detection import (
    Detections,
    ImageSize,
    coco_scores,
    detection_batches,
    open_coco,
    open_voc,
    read_photos,
)
from keras_resnet.detection.data.photos import DetectionData, check_same_classes, join
from keras_resnet.weights import Preprocessing


def coco(tmp_path, **changes):
    """A small data set of two images, categories 3 and 9, with ``changes`` of its content."""
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 50, "width": 100} for i in (5, 8)],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [annotation(1, 5, 9, [10, 10, 20, 30]), annotation(2, 5, 3, [0, 0, 100, 50], iscrowd=1)],
    } | changes
    for i in (5, 8):
        (tmp_path / f"{i}.jpg").write_bytes(b"")
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return path


def annotation(number, image, category, box, **more):
    return {"id": number, "image_id": image, "category_id": category, "bbox": box, "area": 1, "iscrowd": 0, **more}


def test_ids_with_gaps_become_numbers_and_crowds_are_ignored(tmp_path):
    data = open_coco(coco(tmp_path), tmp_path)
    assert (data.classes, data.categories, len(data)) == (("cat", "dog"), (3, 9), 2)
    first, second = data.photos
    assert (first.id, first.file, first.height, first.width) == (5, tmp_path / "5.jpg", 50, 100)
    np.testing.assert_array_equal(first.objects.boxes, [[10, 10, 30, 40], [0, 0, 100, 50]])
    assert (first.objects.classes.tolist(), first.objects.ignored.tolist()) == ([1, 0], [False, True])
    assert second.objects.boxes.shape == (0, 4)


def test_boxes_are_clipped_and_counted(tmp_path, capsys):
    boxes = [[90, 40, 20, 20], [0, 0, 0, 5], [200, 0, 5, 5], [1, 1, 2, 2]]
    path = coco(tmp_path, annotations=[annotation(i, 5, 3, box) for i, box in enumerate(boxes)])
    data = open_coco(path, tmp_path)
    np.testing.assert_array_equal(data.photos[0].objects.boxes, [[90, 40, 100, 50], [1, 1, 3, 3]])
    assert len(data.dataset["annotations"]) == 4  # the scorer has them all
    warning = capsys.readouterr().err
    assert warning == f"{path}: 2 boxes without area inside their image left out, 1 boxes clipped to their image\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": [{"id": 5, "file_name": "../5.jpg", "height": 1, "width": 1}]}, "names the file '../5.jpg'"),
        ({"images": [{"id": 5, "file_name": "/5.jpg", "height": 1, "width": 1}]}, "names the file '/5.jpg'"),
        (
            {"images": [{"id": 5, "file_name": "x" * 5000, "height": 1, "width": 1}]},
            "5 of its images has the fi",
        ),
        (
            {"images": [{"id": 5, "file_name": "5.jpg", "height": 0, "width": 1}]},
            "height 0, not a number of pixels",
        ),
        ({"images": [{"id": [5], "file_name": "5.jpg", "height": 1, "width": 1}]}, "number 0 of its images has the id"),
        ({"annotations": [annotation(1, 5, 3, [0, 0, 1, float("nan")])]}, r"the bbox \[0, 0, 1, nan\], not 4 numbers"),
        ({"annotations": [annotation(1, 5, 3, [0, 0, 1, 1], area="1")]}, "has the area '1', not a number"),
        ({"annotations": None}, "is not in COCO's format: it has no list of annotations"),
        ({"images": [{"id": 5, "height": 1, "width": 1}]}, "is not in COCO's format: 5 of its images has no file_name"),
        ({"annotations": ["x"]}, "number 0 of its annotations has no id"),
        ({"annotations": [annotation(1, 5, 3, [0, 0, 1, 1])] * 2}, "has the id 1 twice in its annotations"),
        ({"annotations": [annotation(1, 6, 3, [0, 0, 1, 1])]}, "annotation 1 has the unknown image_id 6"),
        ({"annotations": [annotation(1, 5, 4, [0, 0, 1, 1])]}, "annotation 1 has the unknown category_id 4"),
        ({"annotations": [annotation(1, 5, 3, [0, 0, 1])]}, r"1 of its annotations has the bbox \[0, 0, 1\], not 4 n"),
        (
            {"annotations": [annotation(1, 5, 3, [9, 9, -3, 2])]},
            "image 5 has a box whose corners are in the wrong",
        ),
        (
            {"images": [{"id": 5, "file_name": "no.jpg", "height": 1, "width": 1}]},
            "lists 1 images that are missing: .*no.jpg",
        ),
        ({"images": []}, "lists no images: give a file that lists photos"),
    ],
)
def test_other_content_than_coco_s_is_refused(changes, words, tmp_path):
    if "images" in changes:
        changes["annotations"] = []
    with pytest.raises(InputError, match=f"instances.json.* {words}|{words}"):
        open_coco(coco(tmp_path, **changes), tmp_path)


def test_annotations_without_iscrowd_are_scored_and_segmentations_not_kept(tmp_path):
    """pycocotools itself would end in a KeyError."""
    whole = annotation(1, 5, 3, [10, 10, 20, 30], segmentation=[[10, 10, 30, 10, 30, 40, 10, 40]])
    del whole["iscrowd"]
    data = open_coco(coco(tmp_path, annotations=[whole]), tmp_path)
    del whole["segmentation"]
    assert data.dataset["annotations"] == [whole | {"iscrowd": 0}]
    scores = coco_scores(data.dataset, {5: Detections([[10, 10, 30, 40]], [0], [0.9])}, list(data.categories))
    assert scores["AP"] == pytest.approx(1)


def test_another_size_than_the_file_s_is_named(tmp_path):
    path = coco(tmp_path)
    Image.new("RGB", (100, 50)).save(tmp_path / "5.jpg")
    Image.new("RGB", (50, 100)).save(tmp_path / "8.jpg")
    with pytest.raises(InputError, match=r"gives 1 images another size .*8\.jpg is 50 x 100 and not 100 x 50"):
        open_coco(path, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("as_shown", [False, True])
def test_a_turned_photo_is_read_as_its_size_in_the_annotation_says(as_shown, tmp_path, capsys):
    """A photo of each orientation is compared with Pillow's turning; where the size decides nothing, the stored picture
    is taken, with a warning. In batches, the number of a photo's objects tells which one it is."""
    stored = np.zeros((50, 100, 3), np.uint8)
    stored[:20, :60, 0], stored[30:, 70:, 1] = 200, 200
    folder, images, annotations = tmp_path / "photos", [], []
    folder.mkdir()
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(stored).save(folder / f"{orientation}.jpg", exif=exif, quality=95)
        height, width = (100, 50) if as_shown and orientation >= 5 else (50, 100)
        images.append({"id": orientation, "file_name": f"{orientation}.jpg", "height": height, "width": width})
        open_coco(coco(tmp_path, images=images[-1:], annotations=[]), folder)
        assert ("keeps their size" in capsys.readouterr().err) == (orientation in (2, 3, 4))
        numbers = range(10 * orientation, 11 * orientation - 1)  # none for the first, which batches leave out
        annotations += [annotation(number, orientation, 3, [0, 0, 50, 50]) for number in numbers]
    data = open_coco(coco(tmp_path, images=images, annotations=annotations), folder)
    for photo, image in read_photos(data):
        expected = Image.open(photo.file)
        expected = np.asarray(ImageOps.exif_transpose(expected) if as_shown and photo.id >= 5 else expected)
        assert image.shape == (photo.height, photo.width, 3)
        assert np.abs(image.astype(int) - expected).max() < 12  # decoders differ by rounding
    batches = detection_batches(data, Preprocessing(mean=[0, 0, 0]), 1, ImageSize(50, 100)).take(16)
    extents = {int((batch[3].numpy() == 1).sum()): batch[1].numpy().tolist() for batch in batches}
    assert extents == {image["id"] - 1: [[image["width"], image["height"]]] for image in images[1:]}


def test_a_file_that_is_not_json_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(InputError, match=r"x.json is not a JSON file"):
        open_coco(tmp_path / "x.json", tmp_path)
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"x.json is nested too deeply"):
        open_coco(tmp_path / "x.json", tmp_path)
    with pytest.raises(InputError, match=r"none.json cannot be read: No such file"):
        open_coco(tmp_path / "none.json", tmp_path)


def test_real_photos(real_data):
    folder = real_data("coco128")
    data = open_coco(folder / "instances.json", folder / "images")
    assert (len(data), len(data.classes)) == (128, 80)
    assert sum(len(photo.objects.boxes) for photo in data.photos) == 939
    assert sum(int(photo.objects.ignored.sum()) for photo in data.photos) == 10
    assert sorted(photo.id for photo in data.photos if not len(photo.objects.boxes)) == [250, 508]
    assert len({c for photo in data.photos for c in photo.objects.classes}) == 71


def voc(tmp_path, objects, size="<size><width>100</width><height>50</height></size>"):
    """A VOC folder with one image, ``000001``."""
    root = tmp_path / "VOC2007"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "Main" / "test.txt").write_text("000001\n")
    (root / "JPEGImages" / "000001.jpg").write_bytes(b"")
    (root / "Annotations" / "000001.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    return tmp_path


def an_object(name="dog", box=(1, 1, 100, 50), difficult=0):
    corners = "".join(
        f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    return f"<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>"


def test_voc_s_inclusive_corners_and_difficult_objects(tmp_path):
    devkit = voc(tmp_path, an_object() + an_object("cat", (11, 6, 20, 10), 1))
    data = open_voc(devkit, (("VOC2007", "test"),))
    (photo,) = data.photos
    np.testing.assert_array_equal(photo.objects.boxes, [[0, 0, 100, 50], [10, 5, 20, 10]])
    assert [data.classes[i] for i in photo.objects.classes] == ["dog", "cat"]
    assert photo.objects.ignored.tolist() == [False, True]
    assert (photo.id, photo.height, photo.width, data.name) == ("000001", 50, 100, "VOC2007-test")


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        (an_object("unicorn"), r"000001.xml has an object of the unknown class 'unicorn'"),
        (an_object(box=(20, 1, 10, 5)), r"000001.xml has a box whose corners are in the wrong order"),
        (an_object(box=("x", 1, 10, 5)), r"000001.xml is not an annotation file of VOC's"),
        ("<object>", r"000001.xml is not an annotation file of VOC's"),
        (an_object("x" * 5000), r"000001.xml has an object of the unknown class 'x{100}'\."),
    ],
)
def test_other_content_than_voc_s_is_refused(objects, words, tmp_path):
    with pytest.raises(InputError, match=words):
        open_voc(voc(tmp_path, objects), (("VOC2007", "test"),))


@pytest.mark.parametrize("side", ["0", "-5", "nan", "9" * 5000])
def test_an_impossible_size_is_refused(side, tmp_path):
    devkit = voc(tmp_path, "", f"<size><width>{side}</width><height>50</height></size>")
    with pytest.raises(InputError, match=r"000001.xml is not an annotation file of VOC's"):
        open_voc(devkit, (("VOC2007", "test"),))


def test_a_photo_of_voc_of_another_size_is_refused_unless_it_is_one_of_many(tmp_path, capsys):
    devkit = voc(tmp_path, "")
    root = devkit / "VOC2007"
    Image.new("RGB", (50, 100)).save(root / "JPEGImages" / "000001.jpg")
    with pytest.raises(InputError, match=r"000001\.jpg is 50 x 100 and not 100 x 50"):
        open_voc(devkit, (("VOC2007", "test"),))
    for number in range(2, 102):
        shutil.copy(root / "Annotations" / "000001.xml", root / "Annotations" / f"{number}.xml")
        Image.new("RGB", (100, 50)).save(root / "JPEGImages" / f"{number}.jpg")
    (root / "ImageSets" / "Main" / "test.txt").write_text("000001\n" + "".join(f"{n}\n" for n in range(2, 102)))
    assert len(open_voc(devkit, (("VOC2007", "test"),))) == 101
    assert "gives 1 images another size than their files have" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../up", "/etc/passwd"])
def test_lists_lead_nowhere_outside_their_folder(name, tmp_path):
    devkit = voc(tmp_path, "")
    (devkit / "VOC2007" / "ImageSets" / "Main" / "test.txt").write_text(f"{name}\n")
    with pytest.raises(InputError, match=rf"test\.txt names the file '{name}\.xml', which is not below"):
        open_voc(devkit, (("VOC2007", "test"),))


def test_missing_parts_of_voc_are_named(tmp_path):
    with pytest.raises(InputError, match=r"There is no .*VOC2012/ImageSets/Main/train.txt"):
        open_voc(voc(tmp_path, ""), (("VOC2012", "train"),))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (("blue", "red"), "Class 0 is red in train and blue in val"),
        (("red",), "Class 1 is blue in train and missing in val"),
        (("red", "blue", "green"), "Class 2 is missing in train and green in val"),
    ],
)
def test_parts_with_other_classes_are_named_and_never_joined(classes, words):
    train, val = DetectionData("train", ("red", "blue"), ()), DetectionData("val", classes, ())
    for together in (lambda: check_same_classes(train, val), lambda: join([train, val])):
        with pytest.raises(InputError, match=f"^{words}: give both the same classes in the same order.$"):
            together()
    check_same_classes(train, train)
