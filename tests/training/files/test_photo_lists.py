"""The labels of a continued run are those that it began with, also where its list of photos is damaged."""

import shutil

import numpy as np
import pytest
from programs import load_program

from keras_resnet import InputError
from keras_resnet.data import open_data
from keras_resnet.training import with_first_photos
from keras_resnet.training.files import photo_lists
from keras_resnet.training.files.workdir import has_begun

PARTS = ("train", "validation")


@pytest.fixture
def begun(photo_folder, tmp_path):
    """A function that opens a list of the 12 training photos with the given labels, for a run that has begun."""
    (tmp_path / "run" / "checkpoints" / "step-000000001").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "step-000000001" / "state.json").touch()
    paths = [f"train/{name}/{number}.JPEG" for name in ("cat", "dog") for number in range(6)]

    def opened(labels):
        lines = [f"{path},{label}" for path, label in zip(paths, labels, strict=True)]
        (photo_folder / "list.csv").write_text("\n".join(["path,label", *lines]))
        data = with_first_photos(open_data(str(photo_folder / "list.csv")), tmp_path / "run")
        return [getattr(data, part) for part in PARTS]

    opened(["bee"] * 6 + ["dog"] * 6)
    return opened


def forget_class_names(workdir):
    """Leave the lists as an earlier version wrote them."""
    for part in PARTS:
        file = workdir / f"photos-{part}.npz"
        np.savez(file, rows=np.load(file)[photo_lists.ROWS])


def test_a_continued_run_refuses_renamed_classes(begun, tmp_path):
    kept = r"give the labels that it began with, or another --workdir\.$"
    with pytest.raises(InputError, match=rf"2 classes and .* 2, of which class 0 was bee and is dog: {kept}"):
        begun(["honey bee"] * 6 + ["dog"] * 6)
    with pytest.raises(InputError, match=rf"2 classes and .* 3, of which class 2 was missing and is owl: {kept}"):
        begun(["bee"] * 6 + ["dog"] * 4 + ["owl"] * 2)
    assert [len(part) for part in begun(["bee"] * 6 + ["dog"] * 6)] == [10, 2]
    forget_class_names(tmp_path / "run")
    begun(["ant"] * 6 + ["dog"] * 6)


@pytest.mark.parametrize("named", [True, False])
def test_a_continued_run_refuses_corrected_labels(named, begun, tmp_path):
    if not named:
        forget_class_names(tmp_path / "run")
    with pytest.raises(InputError, match=r"^10 photos of the run .* another label .*train/cat/\d.JPEG, which"):
        begun(["dog"] * 6 + ["bee"] * 6)
    for number in range(6):  # a photo whose other label would move it into the other part, too
        labels = ["bee"] * 6 + ["dog"] * 6
        labels[number] = "dog"
        with pytest.raises(InputError, match=rf"^1 photos .*the first is train/cat/{number}.JPEG, which is now dog"):
            begun(labels)


def test_a_run_whose_checkpoints_are_gone_starts_again_with_the_photos_that_are_there(begun, tmp_path):
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / "best.keras").touch()
    assert has_begun(tmp_path / "run")  # its settings bind it still
    assert [len(part) for part in begun(["honey bee"] * 6 + ["dog"] * 6)] == [10, 2]


def test_a_continued_run_refuses_other_records(photo_folder, tmp_path):
    workdir, begun = tmp_path / "run", tmp_path / "run" / "checkpoints" / "step-000000001"
    make_records, (first, other) = load_program("tools/make_records.py").MakeRecords, "ab"

    def opened(records):
        data = with_first_photos(open_data(str(tmp_path / records)), workdir)
        return [len(getattr(data, part)) for part in PARTS]

    make_records(tmp_path / first, str(photo_folder)).run()
    workdir.mkdir()
    opened(first)
    (photo_folder / "train" / "cat" / "0.JPEG").unlink()
    make_records(tmp_path / other, str(photo_folder)).run()
    opened(other)  # nothing has been trained yet
    begun.mkdir(parents=True)
    (begun / "state.json").touch()
    with pytest.raises(InputError, match=r"^The records of train are not those .* or another --workdir\.$"):
        opened(first)
    shutil.copytree(tmp_path / other, tmp_path / "moved")
    assert opened("moved") == opened(other)
    for part in ("train", "val"):
        (photo_folder / part / "cat").rename(photo_folder / part / "zebra")
    make_records(tmp_path / "renamed", str(photo_folder)).run()
    with pytest.raises(InputError, match="class 0 was cat and is dog"):
        opened("renamed")
    for part in PARTS:
        (workdir / f"photos-{part}.npz").unlink()
    opened("renamed")  # of an earlier version, which wrote none


def test_a_damaged_list_of_photos_is_written_again(tmp_path, capsys):
    checkpoint = tmp_path / "checkpoints" / "step-000000008"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").touch()
    rows = np.array([(b"a/1.jpg", 0)], [("path", "S9"), ("directory", "i4")])
    photo_lists.first_photos(tmp_path, "train", rows, ("a",))
    assert photo_lists.first_photos(tmp_path, "train", rows[:0], ("a",)) == rows
    capsys.readouterr()
    for content in (b"damaged", b""):
        (tmp_path / "photos-train.npz").write_bytes(content)
        assert photo_lists.first_photos(tmp_path, "train", rows, ("a",)) is rows
        assert "photos-train.npz is damaged: the run goes on with the photos" in capsys.readouterr().err
