"""Lists of photos: what their lines may be, and the photos and labels that come of them."""

import os
from pathlib import Path

import pytest

from keras_resnet import InputError
from keras_resnet.data import open_data
from keras_resnet.data.overview import left_out_of
from keras_resnet.inspection.photo_rows import photos_of


@pytest.fixture
def listed(photo_folder):
    """A function from the lines of a list, beside the folder, to its data."""

    def opened(*lines, name="photos.csv"):
        (photo_folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return open_data(str(photo_folder / name))

    return opened


ALL = [f"train/{folder}/{number}.JPEG" for folder in ("cat", "dog") for number in range(6)]


def test_labels_are_the_list_s_and_not_the_folders(listed, photo_folder):
    data = listed("path,label", *(f'{path},"big, {number % 2}"' for number, path in enumerate(ALL)))
    assert data.classes == ("big, 0", "big, 1")
    assert (len(data.train), len(data.validation)) == (10, 2)
    for split in (data.train, data.validation):
        for position in range(len(split)):
            number = ALL.index(split.photo(position).removeprefix(f"{photo_folder}/"))
            encoded, label = split.read(position)
            assert encoded.numpy() == (photo_folder / ALL[number]).read_bytes()
            assert int(label) == number % 2


@pytest.mark.parametrize("name", ["photos.tsv", "PHOTOS.CSV"])
def test_a_column_split_divides(listed, name):
    tab = "\t" if name.endswith("tsv") else ","
    parts = ["train"] * 4 + ["val", "TEST"]
    lines = [tab.join((path, path.split("/")[1], part)) for path, part in zip(ALL, parts * 2, strict=True)]
    data = listed(tab.join(("path", "label", "split")), *lines, name=name)
    assert (len(data.train), len(data.validation), len(data.test)) == (8, 2, 2)


def test_paths_may_be_absolute_or_lead_elsewhere(listed, photo_folder, tmp_path):
    (tmp_path / "lists").mkdir()
    lines = [f"{tmp_path}/photos/{path},{path[6:9]}" for path in ALL[:9]] + [f"../photos/{p},dog" for p in ALL[9:]]
    data = listed("path,label", *lines, name="../lists/photos.csv")
    for split in (data.train, data.validation):
        for position in range(len(split)):
            assert Path(split.photo(position)).read_bytes() == split.read(position)[0].numpy()
    photos = photos_of(data)
    assert {os.path.normpath(file) for file in photos.files} == {f"{photo_folder}/{path}" for path in ALL}
    assert {name.removeprefix(f"{tmp_path}/") for name in photos.names} == {
        f"photos/{path}" if place < 9 else f"../photos/{path}" for place, path in enumerate(ALL)
    }
    assert photos.facts.heights.min() > 0


def test_missing_files_and_repeated_lines_are_left_out_and_said(listed, capsys):
    data = listed("path,label", *(f"{path},{path[6:9]}" for path in ALL), f"{ALL[0]},cat", "gone.jpg,cat", "x.txt,cat")
    assert len(data.train) + len(data.validation) == 12
    reasons = {group.reason: group.example for group in left_out_of(data)}
    assert reasons == {
        "photos that do not decode": "gone.jpg",
        "lines that list a photo again": ALL[0],
        ".txt files, which are no photos": "x.txt",
    }
    assert "gone.jpg: cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_fifth_of_each_part_may_not_decode(listed):
    """Of the whole list it is one in twelve."""
    train = [f"{path},{path[6:9]},train" for path in ALL[:5] + ALL[6:11]]
    data = listed("path,label,split", *train, f"{ALL[5]},cat,val", "gone.jpg,dog,val")
    assert len(data.train) == 10
    with pytest.raises(
        InputError, match=r"1 of 2 photos of the split validation in .*photos.csv do not decode, more than 20%: repair"
    ):
        len(data.validation)
    data = listed("path,label,split", *train, f"{ALL[5]},cat,val", "gone.jpg,dog,test")
    assert (len(data.train), len(data.validation)) == (10, 1)
    with pytest.raises(InputError, match="1 of 1 photos of the split test"):
        len(data.test)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "is no list of photos: its first line must be path,label or path,label,split, not ''"),
        (("file,class", "a.jpg,cat"), "must be path,label or path,label,split, not 'file,class'"),
        (("path,label", "a.jpg"), "has 1 of 2 fields on line 2: fill it in"),
        (("path,label", "a.jpg,"), "has 1 of 2 fields on line 2"),
        (("path,label", 'a.jpg,"cat'), "is no list of photos"),
        (
            ("path,label", "a.jpg,cat", "./a.jpg,dog"),
            "lists a.jpg on line 2 and, with another label or split, on line 3",
        ),
        (("path,label,split", "a.jpg,cat,train", "a.jpg,cat,val"), "with another label or split, on line 3"),
        (("path,label,split", "a.jpg,cat,valid"), "has the split 'valid' on line 2: it must be train, val or test"),
        (("path,label,split", "a.jpg,cat,train", "b.jpg,dog,train"), "has no photo in the split validation"),
        (("path,label", "a.jpg,cat", "b.jpg,cat"), "are of one class, cat: a classifier needs two or more"),
        (("path,label", "a.txt,cat"), "lists no photos"),
    ],
)
def test_lists_that_cannot_be_used_are_refused_in_a_sentence(lines, words, listed):
    with pytest.raises(InputError, match=words):
        listed(*lines)


def test_photos_too_few_to_divide_are_refused(listed):
    data = listed("path,label", f"{ALL[0]},cat", f"{ALL[7]},dog")
    with pytest.raises(InputError, match="photos has too few photos to divide: give each class two different ones"):
        len(data.train)


def test_a_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.csv cannot be read: No such file"):
        open_data(str(tmp_path / "none.csv"))
