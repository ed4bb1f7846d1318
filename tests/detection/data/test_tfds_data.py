"""TFDS' coco and voc: their objects are those of the file they were made from, read back by position."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import augment
from keras_resnet.detection import detection_batches, open_coco, open_tfds_detection
from keras_resnet.detection.data.photos import chosen, join
from keras_resnet.weights import Preprocessing


@pytest.fixture(scope="module")
def stored(rectangles, tmp_path_factory):
    """The rectangles as a TFDS set with COCO's features and one with VOC's."""
    folder = tmp_path_factory.mktemp("tfds")
    data = open_coco(rectangles / "train.json", rectangles / "train")
    box, flag = tfds.features.BBoxFeature(), np.bool_
    kinds = {
        "coco_like": ({"image/id": np.int64}, {"area": np.int64, "is_crowd": flag}),
        "voc_like": ({}, {"is_difficult": flag}),
    }
    for name, (of_image, of_object) in kinds.items():
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "image/filename": tfds.features.Text(),
                **of_image,
                "objects": tfds.features.Sequence(
                    {"bbox": box, "label": tfds.features.ClassLabel(names=data.classes), **of_object}
                ),
            }
        )

        def records(of_image=of_image, of_object=of_object):
            for photo in data.photos:
                buffer = io.BytesIO()
                Image.open(photo.file).save(buffer, "JPEG", quality=95)
                objects = []
                for number, ((x1, y1, x2, y2), label) in enumerate(
                    zip(photo.objects.boxes / 96, photo.objects.classes, strict=True)
                ):
                    more = {key: 7 if key == "area" else number == 1 for key in of_object}
                    objects.append({"bbox": tfds.features.BBox(y1, x1, y2, x2), "label": int(label), **more})
                image = {"image": io.BytesIO(buffer.getvalue()), "objects": objects}
                image |= {"image/filename": f"{photo.id}.jpg"} | dict.fromkeys(of_image, photo.id + 100)
                yield str(photo.id), image

        tfds.dataset_builders.store_as_tfds_dataset(
            name=name, version="1.0.0", features=features, split_datasets={"train": records()}, data_dir=folder
        )
    return folder, data


@pytest.mark.parametrize("name", ["coco_like", "voc_like"])
def test_objects_are_those_that_were_stored(stored, name):
    folder, data = stored
    found = open_tfds_detection(name, "train", folder)
    by_file = {int(photo.file.stem): (place, photo) for place, photo in enumerate(found.photos)}
    assert found.classes == data.classes
    assert len(found) == len(data)
    for photo in data.photos:
        place, other = by_file[photo.id]
        np.testing.assert_allclose(other.objects.boxes, photo.objects.boxes, atol=1e-4)
        np.testing.assert_array_equal(other.objects.classes, photo.objects.classes)
        assert other.objects.ignored.tolist() == [number == 1 for number in range(len(photo.objects.boxes))]
        image = augment.decode(found.read(place)).numpy().astype(int)  # by the position it has in its own order
        assert np.abs(image - np.asarray(Image.open(photo.file)).astype(int)).mean() < 12
        assert other.id == (photo.id + 100 if name == "coco_like" else str(photo.id))
    if name == "coco_like":
        assert {entry["area"] for entry in found.dataset["annotations"]} == {7.0}
        assert sum(entry["iscrowd"] for entry in found.dataset["annotations"]) > 0


def test_records_are_gone_through_once(stored, monkeypatch):
    """A second start takes the objects from what was kept, and has the same."""
    folder, _ = stored
    first = open_tfds_detection("coco_like", "train", folder)
    monkeypatch.setattr(tf.data, "TFRecordDataset", None)
    again = open_tfds_detection("coco_like", "train", folder)
    assert again.dataset == first.dataset
    for one, other in zip(first.photos, again.photos, strict=True):
        assert (one.id, one.file, one.height, one.width) == (other.id, other.file, other.height, other.width)
        for field in ("boxes", "classes", "ignored"):
            np.testing.assert_array_equal(getattr(one.objects, field), getattr(other.objects, field))


def test_joined_parts_are_read_and_make_batches(stored):
    folder, _ = stored
    parts = [open_tfds_detection(name, "train", folder) for name in ("coco_like", "voc_like")]
    both = join(parts)
    assert len(both) == 24
    for position in (0, 11, 12, 23):
        part, own = parts[position // 12], position % 12
        assert both.read(position).numpy() == part.read(own).numpy()
    few = chosen(both, [3, 11, 12, 20])
    for own, position in enumerate((3, 11, 12, 20)):
        assert few.photos[own] is both.photos[position]
        assert few.read(own).numpy() == both.read(position).numpy()
    images = next(iter(detection_batches(both, Preprocessing(mean=[0, 0, 0]), 4, 64, 100)))[0]
    assert images.shape == (4, 64, 64, 3)


def test_what_is_not_there_is_named(stored, real_data):
    folder, _ = stored
    with pytest.raises(InputError, match=r"tfds\.load\('voc/2007'"):
        open_tfds_detection("voc/2007", "test", folder)
    with pytest.raises(InputError, match="has no part 'test': choose from train"):
        open_tfds_detection("coco_like", "test", folder)
    with pytest.raises(InputError, match="cifar10 has no objects with boxes"):
        open_tfds_detection("cifar10", "train", real_data("tfds"))
