"""Training batches: boxes follow their objects, padding is marked, and order and draws are functions of the step."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_resnet.data.pipelines import Shard
from keras_resnet.detection import ImageSize, detection_batches
from keras_resnet.detection.data.batches import grouped_positions, resized_sides
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.weights import Preprocessing

PLAIN, SMALL = Preprocessing(mean=[0, 0, 0]), ImageSize(60, 100)


@pytest.fixture
def photos(tmp_path):
    """Six black photos, wide and tall, with a white box each, which is a crowd in one of them."""
    images, annotations = [], []
    for i in range(6):
        width, height = (90, 60) if i % 2 else (50, 80)
        picture = np.zeros((height, width, 3), np.uint8)
        x, y = 10 + i, 20 + i
        picture[y : y + 24, x : x + 16] = 255
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": width, "height": height})
        box = {"bbox": [x, y, 16, 24], "area": 384, "iscrowd": int(i == 4)}
        annotations.append({"id": i, "image_id": i, "category_id": 7, **box})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "white"}]}
    (tmp_path / "set.json").write_text(json.dumps(content))
    return open_coco(tmp_path / "set.json", tmp_path)


@pytest.mark.long
def test_boxes_are_where_the_white_is_resized_and_mirrored(photos):
    mirrored = []
    for batch in detection_batches(photos, PLAIN, 2, ImageSize(120, 200)).take(12):
        for image, extent, boxes, statuses, _, _ in zip(*(part.numpy() for part in batch), strict=True):
            assert min(extent) == 120
            assert statuses.tolist() == [1]
            x1, y1, x2, y2 = boxes[0]
            rows, columns = (np.nonzero((image[..., 0] > 127).any(axis=axis))[0] for axis in (1, 0))
            np.testing.assert_allclose([columns[0], rows[0]], [x1, y1], atol=1.01)
            np.testing.assert_allclose([columns[-1] + 1, rows[-1] + 1], [x2, y2], atol=1.01)
            mirrored.append(x1 > extent[0] / 2 - 20)
            width, height = extent.astype(int)
            assert not image[height:].any()
            assert not image[:, width:].any()
            assert image.shape[0] % 32 == image.shape[1] % 32 == 0
    assert 4 < sum(mirrored) < 20


def test_photos_without_objects_to_learn_from_are_left_out(photos):
    batches = list(detection_batches(photos, PLAIN, 5, SMALL).take(4))
    assert all(batch[3].numpy().shape == (5, 1) for batch in batches)
    assert all((batch[3].numpy() == 1).all() for batch in batches)  # the crowd has the status -1


@pytest.mark.long
def test_any_step_is_reached_at_once_and_shards_together_are_one_device(photos):
    whole = list(detection_batches(photos, PLAIN, 4, SMALL, seed=3).take(20))
    later = list(detection_batches(photos, PLAIN, 4, SMALL, seed=3, start_step=17).take(3))
    for first, second in zip(whole[17:], later, strict=True):
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
    halves = [list(detection_batches(photos, PLAIN, 4, SMALL, seed=3, shard=Shard(i, 2, 2)).take(3)) for i in range(2)]
    for step in range(3):
        seeds = np.concatenate([half[step][5].numpy() for half in halves])
        np.testing.assert_array_equal(seeds, whole[step][5])


def test_batches_of_like_aspect_ratio_hold_every_example_of_their_run_once():
    ratios = np.where(np.arange(40) % 2, 0.7, 1.4).astype("float32")
    batches = [b.numpy() for b, _ in grouped_positions(ratios, 5, seed=0).take(32)]
    assert sorted(np.concatenate(batches)[:80].tolist()) == sorted([*range(40)] * 2)
    mixed = [len(set(ratios[batch])) > 1 for batch in batches]
    assert sum(mixed) <= 2  # one in each run of 16 at most


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(375, 500, (600, 800)), (500, 375, (800, 600)), (300, 900, (333, 1000)), (2, 5000, (1, 1000))],
)
def test_the_shorter_side_is_600_unless_the_longer_passes_1000(height, width, expected):
    assert tuple(int(side) for side in resized_sides(height, width, 600, 1000)) == expected
