"""Photos are found wherever they lie below their class, what is left out is counted by its reason, copies are known."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from messy_photos import make_messy
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import gathering, open_data, overview
from keras_resnet.data.overview import left_out_of
from keras_resnet.data.scan import images_in
from keras_resnet.training.files.ownership import RUN, mark


@pytest.fixture(scope="module")
def messy(real_data, tmp_path_factory):
    return make_messy(real_data("imagenette") / "train", tmp_path_factory.mktemp("messy") / "pets")


@pytest.fixture
def pets(photo_folder):
    """Two classes of six photos without a split."""
    return photo_folder / "train"


def paths_of(split):
    return [os.fsdecode(path) for path in split.files["path"]]


def test_a_messy_folder_is_read_whole_and_nothing_is_left_out_in_silence(messy):
    data = open_data(str(messy.folder))
    assert data.classes == tuple(sorted(path.name for path in messy.folder.iterdir() if (path / "2023").exists()))
    used = set(paths_of(data.train)) | set(paths_of(data.validation))
    everything = {path.relative_to(messy.folder).as_posix() for path in messy.folder.rglob("*") if path.is_file()}
    assert used == everything - set(messy.broken) - set(messy.others)
    assert sum(group.count for group in left_out_of(data)) == len(messy.broken) + len(messy.others)
    for split in (data.train, data.validation):
        for path, label in zip(paths_of(split), split.files["directory"], strict=True):
            assert path.split("/")[0] == data.classes[label]


def test_the_overview_counts_and_names(messy):
    text = overview(open_data(str(messy.folder)))
    assert "6 classes; photos: 254 in train, 44 in val" in text
    for line in (
        "photos that do not decode: 3, such as ",
        "HEIC photos, which are not read (convert them to JPEG): 1, tench/IMG_9999.HEIC",
        "macOS companion files: 2, such as tench/._IMG_0001.jpeg",
        "class folders without photos: 1, to sort",
        "hidden files and folders: 1, .DS_Store",
        ".txt files, which are no photos: 1, notes.txt",
    ):
        assert f"left out: {line}" in text
    assert "парашют" in text


def test_a_folder_linked_into_itself_is_gone_through_once(pets):
    (pets / "cat" / "again").symlink_to(pets / "cat")
    (pets / "cat" / "deep" / "deeper").mkdir(parents=True)
    shutil.copyfile(pets / "cat" / "0.JPEG", pets / "cat" / "deep" / "deeper" / "x.JPEG")
    paths = list(gathering.files_below(pets / "cat"))
    assert paths == [*sorted(path for path in os.listdir(pets / "cat") if "." in path), "deep/deeper/x.JPEG"]


def test_pictures_of_runs_are_no_photos(pets):
    """A run in the folder of its photos would be a class of its own, with its curves, when it is continued."""
    for run in ("runs/first", "run", "cat/run"):
        (pets / run).mkdir(parents=True)
        mark(pets / run, RUN)
        Image.new("RGB", (8, 8)).save(pets / run / "curves.png")
    listed = gathering.class_folders(pets)
    assert [(name, len(paths)) for name, paths in listed.paths.items()] == [("cat", 6), ("dog", 6)]
    left_out = {part.reason: (part.count, part.example) for part in listed.left_out}
    assert left_out == {
        "folders of runs, whose pictures are no photos": (3, "cat/run/keras_resnet.json"),
        "class folders without photos": (2, "run"),
    }


def test_a_flat_class_folder_is_listed_as_by_name(pets):
    expected = sorted(os.listdir(pets / "cat"))
    assert [os.fsdecode(path) for path in images_in(pets / "cat", [""])["path"]] == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.JPG", None),
        ("a.Tiff", None),
        ("a.webp", None),
        ("._a.jpg", "macOS companion files"),
        (".a.jpg", "hidden files and folders"),
        ("Thumbs.db", "hidden files and folders"),
        ("a.CR2", "camera raw files, which are not read (convert them to JPEG)"),
        ("a.mp4", ".mp4 files, which are no photos"),
        ("README", "files without a suffix, which are no photos"),
    ],
)
def test_what_a_file_is_by_its_name(name, reason):
    assert gathering.why_not(name) == reason


def test_the_photos_of_a_folder_come_by_name_and_number(tmp_path):
    """Frames of a video in their order, folder by folder; a file stands for itself, whatever it is."""
    names = ["b/frame2.jpg", "b/frame10.jpg", "b/frame010a.png", "frame9.jpg", "frame11.jpg"]
    for name in (*reversed(names), "notes.txt", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert gathering.photos_at(tmp_path) == [tmp_path / name for name in names]
    assert gathering.photos_at(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_keys_are_equal_for_copies_alone_and_are_kept(pets, monkeypatch):
    shutil.copyfile(pets / "cat" / "3.JPEG", pets / "dog" / "elsewhere.JPEG")
    files = images_in(pets, ["cat", "dog"])
    keys = gathering.content_keys(pets, files)
    place = {path.decode(): key for path, key in zip(files["path"], keys, strict=True)}
    assert place["cat/3.JPEG"] == place["dog/elsewhere.JPEG"]
    assert len(set(keys.tolist())) == 12
    read = []
    real = gathering._key
    monkeypatch.setattr(gathering, "_key", lambda path: read.append(Path(path).name) or real(path))
    np.testing.assert_array_equal(gathering.content_keys(pets, files), keys)
    assert read == []
    Image.new("RGB", (9, 9)).save(pets / "cat" / "new.png")
    gathering.content_keys(pets, images_in(pets, ["cat", "dog"]))
    assert read == ["new.png"]


def test_the_key_of_a_photo_that_cannot_be_read_is_not_kept(pets):
    files, lost = images_in(pets, ["cat", "dog"]), pets / "cat" / "3.JPEG"
    lost.rename(pets / "moved")
    without = gathering.content_keys(pets, files)
    (pets / "moved").rename(lost)
    keys = gathering.content_keys(pets, files)
    assert files["path"][without != keys].tolist() == [b"cat/3.JPEG"]
    assert keys[files["path"] == b"cat/3.JPEG"].tolist() == [gathering._key(str(lost))[0]]


def test_photos_that_differ_in_their_middle_alone_are_no_copies_by_their_whole_content(tmp_path):
    content = np.random.default_rng(0).integers(0, 256, 30_000).astype(np.uint8)
    for name, middle in (("a.bin", 0), ("b.bin", 1), ("c.bin", 0)):
        content[15_000] = middle
        (tmp_path / name).write_bytes(content.tobytes())
    digests = [gathering.content_of(str(tmp_path / name)) for name in ("a.bin", "b.bin", "c.bin")]
    assert digests[0] == digests[2] != digests[1]


def test_bad_parts_are_reported_at_once_and_strict_stops(photo_folder):
    from keras_resnet.data import check_strictly

    (photo_folder / "train" / "cat" / "0.JPEG").write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"--strict: photos has photos that do not decode: 1, cat/0.JPEG: repair"):
        check_strictly(open_data(str(photo_folder)))
    for part, count in (("train", 6), ("val", 2)):
        for number in range(count):
            (photo_folder / part / "dog" / f"{number}.JPEG").write_bytes(b"no photo")
    with pytest.raises(InputError, match=r"7 of 12 images in .*train do not decode.* 2 of 4 images in .*val do not"):
        overview(open_data(str(photo_folder)))


def test_a_class_without_validation_photos_and_copies_in_both_parts_are_said(photo_folder):
    shutil.rmtree(photo_folder / "val" / "dog")
    shutil.copyfile(photo_folder / "train" / "cat" / "2.JPEG", photo_folder / "val" / "cat" / "9.JPEG")
    text = overview(open_data(str(photo_folder)))
    assert "val has no photo of dog: how often that is recognised stays unknown" in text
    assert f"1 photo of val is in train too, such as {photo_folder / 'val' / 'cat' / '9.JPEG'}" in text
    assert "photo of test" not in text


def test_copies_of_training_photos_in_the_test_part_are_said(photo_folder):
    shutil.copyfile(photo_folder / "train" / "cat" / "2.JPEG", photo_folder / "copy.JPEG")
    rows = [
        f"{file.relative_to(photo_folder)},{file.parts[-2]},{file.parts[-3]}" for file in photo_folder.glob("*/*/*")
    ]
    table = photo_folder / "photos.csv"
    table.write_text("\n".join(["path,label,split", *rows, "copy.JPEG,cat,test"]))
    text = overview(open_data(str(table)))
    assert f"1 photo of test is in train too, such as {photo_folder / 'copy.JPEG'}" in text
    assert "photo of val" not in text


def test_copies_that_were_not_looked_for_are_said(photo_folder, monkeypatch):
    monkeypatch.setattr(sys.modules["keras_resnet.data.overview"], "MAX_COMPARED", 0)
    shutil.copyfile(photo_folder / "train" / "cat" / "2.JPEG", photo_folder / "val" / "cat" / "9.JPEG")
    assert "whether photos are in both was not checked" in overview(open_data(str(photo_folder)))


def test_one_class_is_refused(pets):
    shutil.rmtree(pets / "dog")
    with pytest.raises(InputError, match=r"All photos of .* are of one class, cat: a classifier needs two"):
        open_data(str(pets))


@pytest.mark.long
def test_many_classes_are_summed_up(tmp_path):
    for number in range(30):
        (tmp_path / f"class {number:02d}").mkdir()
        for photo in range(2 + number):
            Image.new("RGB", (4, 4), (number, photo, 0)).save(tmp_path / f"class {number:02d}" / f"{photo}.png")
    lines = overview(open_data(str(tmp_path))).splitlines()
    assert lines[4].startswith("the 20 smallest of 30:")
    assert "10 others 19 to 26 3 to 5" in [" ".join(line.split()) for line in lines]
