"""The labels of a continued run are those that it began with."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data import open_data
from keras_resnet.training import with_first_photos
from keras_resnet.training.files import photo_lists

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
