"""Any detection data gives one class a photo; the demo's scenes have one object each."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.detection import DetectionData, Photo, Truths, open_coco
from keras_resnet.localization import one_class, open_localization_sets


def photo(name, boxes, classes, ignored=None):
    return Photo(name, f"{name}.jpg", 100, 100, Truths(boxes, classes, ignored))


def test_the_class_of_the_largest_object_stays_with_all_its_instances(capsys):
    boxes = [[0, 0, 10, 10], [0, 0, 30, 30], [50, 50, 60, 60], [0, 0, 90, 90]]
    data = DetectionData(
        "some",
        ("a", "b"),
        (
            photo("one", boxes, [0, 1, 1, 0], [False, False, False, True]),
            photo("none", np.zeros((0, 4)), []),
            photo("crowd", boxes[:1], [0], [True]),
        ),
    )
    reduced = one_class(data)
    assert [photo.id for photo in reduced.photos] == ["one"]
    assert reduced.photos[0].objects.classes.tolist() == [1, 1]
    assert reduced.photos[0].objects.boxes.tolist() == boxes[1:3]
    assert "some: 2 photos without boxes left out, such as none.jpg" in capsys.readouterr().err


def test_data_without_any_box_is_refused():
    with pytest.raises(InputError, match="empty has no photo with boxes"):
        one_class(DetectionData("empty", ("a",), (photo("none", np.zeros((0, 4)), []),)))


def test_real_photos_are_reduced_to_their_largest_object(real_data):
    folder = real_data("coco128")
    whole = open_coco(folder / "instances.json", folder / "images")
    reduced = one_class(whole)
    sizes = {p.id: p.objects for p in whole.photos}
    for photo in reduced.photos:
        objects = sizes[photo.id]
        areas = (objects.boxes[:, 2:] - objects.boxes[:, :2]).prod(axis=1) * ~objects.ignored
        assert photo.objects.classes[0] == objects.classes[areas.argmax()]
    assert 120 <= len(reduced) <= 126


@pytest.mark.parametrize("name", ["coco_like", "voc_like"])
def test_tfds_sets_are_reduced_like_the_folders_that_they_were_made_from(tfds_rectangles, rectangles, name):
    sets = open_localization_sets(name, tfds_rectangles[0])
    assert tuple(sets.openers) == ("train", "val")
    for part in ("train", "val"):
        reduced = sets.part(part)
        whole = open_coco(rectangles / f"{part}.json", rectangles / part)
        objects = {int(photo.file.stem): photo.objects for photo in whole.photos}
        assert len(reduced) == len(whole)
        for photo in reduced.photos:
            stored = objects[int(photo.file.stem)]
            places = np.flatnonzero(np.arange(len(stored.boxes)) != 1)  # the second is stored as crowd or difficult
            areas = (stored.boxes[places, 2:] - stored.boxes[places, :2]).prod(axis=1)
            number = stored.classes[places][areas.argmax()]
            expected = stored.boxes[[place for place in places if stored.classes[place] == number]]
            np.testing.assert_allclose(photo.objects.boxes, expected, atol=1e-4)
            assert set(photo.objects.classes) == {number}


@pytest.mark.long
def test_the_demo_has_one_object_a_scene(capsys):
    train, test = (open_localization_sets("demo").part(name) for name in ("train", "test"))
    assert {len(photo.objects.boxes) for photo in (*train.photos, *test.photos)} == {1}
    assert (len(train), len(test)) == (1498, 299)  # without those that had no room for a shape
    shares = [np.sqrt((b[2] - b[0]) * (b[3] - b[1])) / min(p.width, p.height) for p in train.photos
              for b in p.objects.boxes]  # fmt: skip
    assert 0.25 < np.quantile(shares, 0.05) < np.quantile(shares, 0.95) < 0.8
