"""Sources: class folders and TFDS, and the messages when they are missing or unusual."""

import shutil

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data import decoding, open_data


def test_a_folder_gives_sorted_classes_and_its_files(photo_folder):
    data = open_data(str(photo_folder))
    assert data.classes == ("cat", "dog")
    assert (len(data.train), len(data.validation), data.test) == (12, 4, None)
    first, label = data.train.read(0)
    assert int(label) == 0
    assert first.numpy() == (photo_folder / "train" / "cat" / "0.JPEG").read_bytes()


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_missing_folder_is_named(part, photo_folder):
    shutil.rmtree(photo_folder / part)
    with pytest.raises(InputError, match=rf"There is no folder .*{part}: --data takes a folder of class folders"):
        open_data(str(photo_folder))


def test_a_class_that_only_val_has_photos_of_is_refused(photo_folder):
    shutil.copytree(photo_folder / "val" / "dog", photo_folder / "val" / "cow")
    with pytest.raises(InputError, match=r"train has 2 classes and .*val has 3; only val has photos of cow"):
        open_data(str(photo_folder))


def test_a_part_is_opened_when_it_is_first_used(photo_folder):
    """Bad training photos do not matter until then; an opened part stays the same object."""
    for path in (photo_folder / "train").rglob("*.JPEG"):
        path.write_bytes(b"no image")
    data = open_data(str(photo_folder))
    assert len(data.validation) == len(data.part("val")) == 4
    assert data.validation is data.part("val")
    with pytest.raises(InputError, match=r"12 of 12 images in .*train do not decode"):
        len(data.train)
    with pytest.raises(InputError, match="photos has no test split"):
        data.part("test")


def test_an_empty_folder_is_named(tmp_path):
    for part in ("train", "val"):
        (tmp_path / part / "cat").mkdir(parents=True)
    with pytest.raises(InputError, match="train has no class folders with photos"):
        open_data(str(tmp_path))


def test_the_message_for_a_missing_tfds_data_set_says_how_to_get_it(tmp_path):
    with pytest.raises(InputError) as caught:
        open_data("cifar10", tmp_path)
    message = str(caught.value)
    assert f"no prepared data set 'cifar10' in {tmp_path}" in message
    assert f"tfds.load('cifar10', data_dir='{tmp_path}')" in message


def test_a_tfds_set_with_its_own_validation_split(photo_folder, tmp_path):
    """Like imagenet2012, and stored by TFDS itself: JPEGs are read byte for byte, and nothing is held out."""
    import tensorflow_datasets as tfds

    photos = open_data(str(photo_folder))
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(encoding_format="jpeg"), "label": tfds.features.ClassLabel(names=photos.classes)}
    )

    def examples(part):
        files = sorted((photo_folder / part).rglob("*.JPEG"))
        return [(str(file), {"image": str(file), "label": file.parent.name}) for file in files]

    tfds.dataset_builders.store_as_tfds_dataset(
        name="pets",
        version="1.0.0",
        features=features,
        split_datasets={"train": examples("train"), "validation": examples("val")},
        data_dir=tmp_path / "tfds",
    )
    data = open_data("pets", tmp_path / "tfds")
    assert (data.classes, len(data.train), len(data.validation), data.test) == (("cat", "dog"), 12, 4, None)
    for path in (tmp_path / "tfds").rglob("*train*tfrecord*"):
        path.unlink()
    data = open_data("pets", tmp_path / "tfds")  # its validation part opens without the training files
    stored = {(bytes(e.numpy()), int(k)) for e, k in map(data.validation.read, range(4))}
    assert stored == {(bytes(e.numpy()), int(k)) for e, k in map(photos.validation.read, range(4))}


def test_cifar10_is_split_as_in_the_paper(real_data):
    data = open_data("cifar10", real_data("tfds"))
    assert (len(data.train), len(data.validation), len(data.test)) == (45_000, 5_000, 1_000)
    assert data.test.name == "first 1,000 of test"
    assert data.validation.name == "train[45000:]"
    assert data.classes[0] == "airplane"
    assert data.classes[-1] == "truck"
    assert len({data.train.fingerprint, data.validation.fingerprint, data.test.fingerprint}) == 3


@pytest.mark.long
def test_cifar10_read_by_position_is_what_tfds_reads(real_data):
    """In the stored order, across the boundary of train and validation."""
    import tensorflow_datasets as tfds

    data = open_data("cifar10", real_data("tfds"))
    read = tfds.ReadConfig(interleave_cycle_length=1)
    stored = tfds.load("cifar10", data_dir=real_data("tfds"), split="train[44990:45010]", read_config=read)
    for i, example in enumerate(stored):
        split, position = (data.train, 44_990 + i) if i < 10 else (data.validation, i - 10)
        encoded, label = split.read(position)
        np.testing.assert_array_equal(decoding.decode(encoded), example["image"])
        assert int(label) == int(example["label"])
