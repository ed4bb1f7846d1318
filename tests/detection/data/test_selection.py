"""Whatever photos are selected, in any order and nesting, each stays with its bytes, objects and annotations."""

from dataclasses import replace

import numpy as np
import pytest

from keras_resnet.detection import open_coco, open_tfds_detection
from keras_resnet.detection.data import rendered_scenes
from keras_resnet.detection.data.photos import join
from keras_resnet.detection.training.photo_reading import readable, with_files


def tfds_images(name, folder):
    """The bytes of the photos by file name, as TFDS reads them."""
    import tensorflow_datasets as tfds

    stored = tfds.load(name, split="train", data_dir=folder, decoders={"image": tfds.decode.SkipDecoding()})
    return {record["image/filename"].decode(): record["image"] for record in stored.as_numpy_iterator()}


@pytest.fixture(params=["folders", "scanned folders", "rendered scenes", "TFDS"])
def source(request, rectangles, tfds_rectangles, tmp_path):
    """Two data sets of one kind, and the bytes of each photo by its object's id, read in another way."""
    if request.param == "TFDS":
        folder, names = tfds_rectangles[0], ("coco_like", "voc_like")
        parts = [open_tfds_detection(name, "train", folder) for name in names]
        images = [tfds_images(name, folder) for name in names]
        encoded = [
            [stored[str(photo.file)] for photo in part.photos] for part, stored in zip(parts, images, strict=True)
        ]
    else:
        folder = rectangles
        if request.param == "rendered scenes":
            folder = tmp_path / "set"
            rendered_scenes.write(folder, {"train": 8, "val": 5})
        parts = [open_coco(folder / f"{part}.json", folder / part) for part in ("train", "val")]
        if request.param == "scanned folders":
            parts = [with_files(part, readable(part)) for part in parts]
        encoded = [[photo.file.read_bytes() for photo in part.photos] for part in parts]
    return parts, {
        id(photo): image
        for part, images in zip(parts, encoded, strict=True)
        for photo, image in zip(part.photos, images, strict=True)
    }


def check(data, photos, encoded):
    """``data`` has these ``photos`` in this order, each with its bytes, size and annotations."""
    assert [id(photo) for photo in data.photos] == [id(photo) for photo in photos]
    for position, photo in enumerate(photos):
        assert data.reader.fetch(position) == encoded[id(photo)]
        assert data.reader.read(position).numpy() == encoded[id(photo)]
        assert data.picture(position).shape == (photo.height, photo.width, 3)
    if data.dataset is not None:
        assert sorted(image["id"] for image in data.dataset["images"]) == sorted(photo.id for photo in photos)
        objects = sum(len(photo.objects.boxes) for photo in photos)
        assert len(data.dataset["annotations"]) == objects


def some(rng, data):
    """At least half of the positions, in random order."""
    return rng.permutation(len(data))[: rng.integers(len(data) // 2, len(data)) + 1].tolist()


@pytest.mark.long
def test_nested_selections_in_any_order(source, rng):
    parts, encoded = source
    for data in parts:
        for _ in range(3):
            positions = some(rng, data)
            photos = [data.photos[position] for position in positions]
            data = data.select(positions)
            check(data, photos, encoded)
        check(data.first(2), photos[:2], encoded)


def test_selections_of_joined_selections(source, rng):
    parts, encoded = source
    selected = [part.select(some(rng, part)) for part in parts]
    joined = join([*selected, parts[0].first(1)])
    photos = [photo for part in (*selected, parts[0].first(1)) for photo in part.photos]
    check(joined, photos, encoded)
    positions = some(rng, joined)
    check(joined.select(positions), [photos[position] for position in positions], encoded)


def test_files_of_a_selection_keep_the_order_of_the_selection(rectangles, rng):
    """The rows of a scan are in the order of the whole set, and one of the selected photos is not among them."""
    data = open_coco(rectangles / "train.json", rectangles / "train")
    rows = readable(data)
    encoded = {id(photo): photo.file.read_bytes() for photo in data.photos}
    positions = rng.permutation(len(data))[:6].tolist()
    lost = data.photos[positions[2]]
    part = with_files(data.select(positions), rows[rows["path"] != f"{lost.file.name}".encode()])
    photos = [data.photos[position] for position in positions if data.photos[position] is not lost]
    check(part, photos, encoded)


def test_lost_photos_of_a_selection_count_in_the_whole_set(rectangles):
    data = open_coco(rectangles / "train.json", rectangles / "train")
    part = data.select([7, 3, 5]).select([2, 0])
    part.reader.record_lost(0, ValueError("photo 5 is lost."), "nothing stands in")
    assert list(data.reader.lost) == [5]


def test_photos_without_their_reader_are_refused(rectangles):
    data = open_coco(rectangles / "train.json", rectangles / "train")
    with pytest.raises(ValueError, match="train has 3 photos, and its reader has 12"):
        replace(data, photos=data.photos[:3])
    assert np.array_equal(data.select([0, 1]).first(5).photos, data.photos[:2])
