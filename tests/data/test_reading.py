"""A photo that can no longer be read is named once, counted, and replaced by the next readable one."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import ImageNetView, folder_split, imagenet_batches, reading
from keras_resnet.data.augment import Colours
from keras_resnet.errors import in_our_words
from keras_resnet.weights import Preprocessing

COUNT = 200
NO_COLOURS = Colours((0.0, 0.0, 0.0), tuple(map(tuple, np.eye(3).tolist())))
VIEW = ImageNetView(Preprocessing(np.zeros(3)), 8, NO_COLOURS)


@pytest.fixture
def split(tmp_path):
    """Grey photos of two classes; the grey level of each is its position."""
    for number in range(COUNT):
        folder = tmp_path / "photos" / "ab"[2 * number // COUNT]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number,) * 3).save(folder / f"{number:03d}.png")
    return folder_split(tmp_path / "photos", "train")[1]


def lose(split, *positions):
    for position in positions:
        os.remove(split.file(position))


def levels(split, **options):
    batches = imagenet_batches(split, VIEW, 20, **options)
    return [(int(image[0, 0, 0]), int(label)) for batch in batches for image, label in zip(*batch, strict=True)]


@pytest.mark.long
def test_the_next_readable_photo_replaces_a_lost_one_with_its_own_label(split, capsys):
    lose(split, 99, COUNT - 1)
    with open(split.file(0), "wb") as file:
        file.write(b"damaged")
    for _ in range(2):
        examples = levels(split)
        assert [level for level, _ in examples] == [1, *range(1, 99), 100, *range(100, COUNT - 1), 1]
        assert examples[99] == (100, 1)
    messages = capsys.readouterr().err
    for position, problem in ((0, "no longer decodes: its content"), (99, "cannot be read: No such file")):
        assert messages.count(f"{split.file(position)} {problem}") == 1
    assert f"replaces it; 3 of {COUNT} are lost" in messages


@pytest.mark.long
def test_a_photo_that_has_changed_and_decodes_is_read(split, capsys):
    Image.new("RGB", (8, 8), (7,) * 3).save(split.file(50))
    assert levels(split)[50] == (7, 0)
    assert capsys.readouterr().err == ""


@pytest.mark.long
def test_replacements_do_not_depend_on_where_training_starts(split):
    def batches(start):
        stream = imagenet_batches(split, VIEW, 20, seed=3, start_step=start)
        return [batch[0].numpy() for batch in stream.take(20 - start)]

    lose(split, 3, 4, 150)
    whole = batches(0)
    np.testing.assert_array_equal(batches(13), whole[13:])


@pytest.mark.long
def test_more_than_one_percent_are_too_many(split):
    lose(split, 3, 4)
    levels(split)
    split.reader.check()
    lose(split, 5)
    levels(split)
    with pytest.raises(InputError, match=r"00[345]\.png cannot be read.* In all, 3 of the 200 photos of train"):
        split.reader.check()


def test_a_hundred_lost_photos_in_a_row_end_in_one_sentence(split):
    lose(split, *range(reading.MAX_ATTEMPTS))
    with (
        pytest.raises(InputError, match=r"00\d\.png cannot .* In all, \d+ of the 200 photos of train are lost"),
        in_our_words(),
    ):
        levels(split)


def test_outside_training_a_lost_photo_is_an_error_that_names_it(split):
    lose(split, 3)
    with pytest.raises(InputError, match=r"003\.png cannot be read: No such file"):
        split.read(3)


def test_a_photo_that_fails_to_decode_in_the_pipeline_ends_in_one_sentence(split):
    """For example one whose content changed, but not its size and modification time."""
    stamp = os.stat(split.file(3))
    with open(split.file(3), "r+b") as file:
        file.write(bytes(stamp.st_size))
    os.utime(split.file(3), ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with (
        pytest.raises(InputError, match=r"An example of the data cannot be used: its content"),
        in_our_words(),
    ):
        levels(split)


@pytest.mark.parametrize("make", ["fifo", "folder", "link to nothing", "device"])
def test_files_that_are_not_regular_do_not_block(make, tmp_path):
    path = tmp_path / "photo"
    if make == "fifo":
        os.mkfifo(path)
    elif make == "folder":
        path.mkdir()
    else:
        path.symlink_to({"device": "/dev/zero"}.get(make, tmp_path / "nothing"))
    with pytest.raises(InputError, match=r"photo (is not a regular file|cannot be read)"):
        reading.read_regular(path)
