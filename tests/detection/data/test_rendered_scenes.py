"""The rendered detection set: it is reproducible, needs no repairs, and its boxes are where the shapes are."""

import numpy as np
import pytest

from keras_resnet.data.demo import CLASSES
from keras_resnet.detection import open_coco
from keras_resnet.detection.data import rendered_scenes


def test_a_seed_gives_one_picture_and_tight_boxes():
    for seed in range(20):
        picture, boxes, labels = rendered_scenes.render(seed)
        again, *_ = rendered_scenes.render(seed)
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(again))
        assert len(boxes) == len(labels) >= 1
        width, height = picture.size
        assert 128 <= min(width, height) <= max(width, height) <= 192
        assert (boxes >= 0).all()
        assert (boxes <= [width, height, width, height]).all()


def test_shapes_are_brighter_than_their_surroundings():
    """The middle of a box is brighter than the picture, on average; a shifted box has no such middle."""
    inside, elsewhere = [], []
    for seed in range(60):
        picture, boxes, _ = rendered_scenes.render(seed)
        grey = np.asarray(picture.convert("L"), float)
        for x1, y1, x2, y2 in boxes:
            brightness = grey[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].mean()
            inside.append(brightness)
            elsewhere.append(
                np.roll(grey, grey.shape[1] // 2, axis=1)[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1].mean()
            )
    assert np.mean(inside) > np.mean(elsewhere) + 20


@pytest.mark.long
def test_half_of_the_objects_of_the_set_of_small_ones_are_small_for_coco():
    shares = []
    for radii in rendered_scenes.SETS.values():
        boxes = np.concatenate([rendered_scenes.render(seed, radii=radii)[1] for seed in range(100)])
        shares.append((np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) < 32**2).mean())
    assert shares[0] < 0.1
    assert 0.45 < shares[1] < 0.55


def test_files_are_coco_s_and_need_no_repair(tmp_path, capsys):
    rendered_scenes.write(tmp_path, {"train": 12, "val": 3})
    data = open_coco(tmp_path / "train.json", tmp_path / "train")
    assert capsys.readouterr().err == ""
    assert (data.classes, len(data)) == (CLASSES, 12)
    picture, boxes, labels = rendered_scenes.render(data.photos[4].id)
    np.testing.assert_allclose(data.photos[4].objects.boxes, boxes)
    assert data.photos[4].objects.classes.tolist() == labels
    assert (data.photos[4].width, data.photos[4].height) == picture.size
    assert {photo.id for photo in open_coco(tmp_path / "val.json", tmp_path / "val").photos} == set(
        range(10**6, 10**6 + 3)
    )
