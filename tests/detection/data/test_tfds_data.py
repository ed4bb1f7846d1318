"""TFDS' coco and voc: their objects and photos are those that were stored, read by position."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import decoding
from keras_resnet.detection import ImageSize, detection_batches, open_tfds_detection, open_voc
from keras_resnet.detection.data.photos import join
from keras_resnet.weights import Preprocessing


@pytest.mark.parametrize("name", ["coco_like", "voc_like"])
def test_objects_are_those_that_were_stored(tfds_rectangles, name):
    folder, data = tfds_rectangles
    opened = open_tfds_detection(name, "train", folder)
    by_file = {int(photo.file.stem): (place, photo) for place, photo in enumerate(opened.photos)}
    assert opened.classes == data.classes
    assert len(opened) == len(data)
    for photo in data.photos:
        place, other = by_file[photo.id]
        np.testing.assert_allclose(other.objects.boxes, photo.objects.boxes, atol=1e-4)
        np.testing.assert_array_equal(other.objects.classes, photo.objects.classes)
        assert other.objects.ignored.tolist() == [number == 1 for number in range(len(photo.objects.boxes))]
        image = decoding.decode(opened.reader.fetch(place)).numpy().astype(int)
        assert np.abs(image - np.asarray(Image.open(photo.file)).astype(int)).mean() < 12
        assert other.id == (photo.id + 100 if name == "coco_like" else str(photo.id))
    if name == "coco_like":
        assert {entry["area"] for entry in opened.dataset["annotations"]} == {7.0}
        assert sum(entry["iscrowd"] for entry in opened.dataset["annotations"]) > 0


def test_records_are_read_for_their_objects_once(tfds_rectangles, monkeypatch):
    """A second start takes the objects from the cache."""
    folder, _ = tfds_rectangles
    first = open_tfds_detection("coco_like", "train", folder)
    monkeypatch.setattr(tf.data, "TFRecordDataset", None)
    again = open_tfds_detection("coco_like", "train", folder)
    assert again.dataset == first.dataset
    for one, other in zip(first.photos, again.photos, strict=True):
        assert (one.id, one.file, one.height, one.width) == (other.id, other.file, other.height, other.width)
        for field in ("boxes", "classes", "ignored"):
            np.testing.assert_array_equal(getattr(one.objects, field), getattr(other.objects, field))


VOC_OBJECT = (
    "<object><name>dog</name><pose>Left</pose><truncated>0</truncated><difficult>0</difficult><bndbox><xmin>{}</xmin>"
    "<ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def test_voc_s_boxes_are_those_of_its_files(tmp_path, capsys):
    """TFDS' reader of VOC's annotations keeps corners that are counted from 1."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.object_detection import voc

    text = "".join(VOC_OBJECT.format(*box) for box in [(1, 1, 49, 37), (1, 20, 30, 22), (7, 8, 11.5, 12.25)])
    devkit, annotation = tmp_path / "VOC2007", tmp_path / "VOC2007" / "Annotations" / "000005.xml"
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (devkit / folder).mkdir(parents=True)
    (devkit / "ImageSets" / "Main" / "test.txt").write_text("000005\n")
    annotation.write_text(f"<annotation><size><width>49</width><height>37</height></size>{text}</annotation>")
    Image.new("RGB", (49, 37)).save(devkit / "JPEGImages" / "000005.jpg")
    image = {"image": str(devkit / "JPEGImages" / "000005.jpg"), "image/filename": "000005.jpg"}
    objects = list(voc._get_example_objects(str(annotation)))
    tfds.dataset_builders.store_as_tfds_dataset(
        name="voc",
        config="2007",
        version="5.0.0",
        features=tfds.builder_cls("voc")(config="2007", data_dir=tmp_path / "empty").info.features,
        split_datasets={"test": [("0", image | {"objects": objects, "labels": [], "labels_no_difficult": []})]},
        data_dir=tmp_path / "tfds",
    )
    expected = open_voc(tmp_path, (("VOC2007", "test"),)).photos[0]
    opened = open_tfds_detection("voc/2007", "test", tmp_path / "tfds")
    assert expected.objects.boxes.tolist() == [[0, 0, 49, 37], [0, 19, 30, 22], [6, 7, 11.5, 12.25]]
    np.testing.assert_allclose(opened.photos[0].objects.boxes, expected.objects.boxes, atol=1e-9)
    assert opened.dataset["annotations"][1]["bbox"] == pytest.approx([0, 19, 30, 3], abs=1e-9)
    assert (opened.photos[0].id, expected.id) == ("000005", "000005")
    assert "clipped" not in capsys.readouterr().err


@pytest.mark.long
def test_joined_parts_make_batches(tfds_rectangles):
    folder, _ = tfds_rectangles
    joined = join([open_tfds_detection(name, "train", folder) for name in ("coco_like", "voc_like")])
    batches = detection_batches(joined, Preprocessing(mean=[0, 0, 0]), 4, ImageSize(64, 100))
    assert next(iter(batches))[0].shape == (4, 64, 64, 3)


def test_missing_data_sets_and_parts_are_named(tfds_rectangles, real_data):
    folder, _ = tfds_rectangles
    with pytest.raises(InputError, match=r"tfds\.load\('voc/2007'"):
        open_tfds_detection("voc/2007", "test", folder)
    with pytest.raises(InputError, match="has no part 'test': choose from train, validation"):
        open_tfds_detection("coco_like", "test", folder)
    with pytest.raises(InputError, match="cifar10 has no objects with boxes"):
        open_tfds_detection("cifar10", "train", real_data("tfds"))
