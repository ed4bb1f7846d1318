"""Recipes on photos without a split, as a user starts them."""

import json
import shutil

import numpy as np
import pytest
from programs import run
from small_runs import IMAGENET, small

pytestmark = pytest.mark.long


def rows_of(workdir):
    """The paths of the photos that a run began with, of each part."""
    return [np.load(workdir / f"photos-{part}.npz")["rows"]["path"].tolist() for part in ("train", "validation")]


def test_a_folder_without_a_split_is_divided_trained_on_and_continued(photo_folder, tmp_path):
    """The continued run keeps its photos on their sides, though one more would move another. It draws evenly."""
    folder, workdir = photo_folder / "train", tmp_path / "run"
    balanced = ("--balance", "sampling")
    first = run(IMAGENET, *small(folder, workdir, *balanced, "--steps", 2, "--val-share", 0.34))
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("train: 2 classes; photos: 8 in train, 4 in val\n")
    result = json.loads((workdir / "result.json").read_text())
    assert (result["train_split"], result["val_split"]) == ("66% of train", "34% of train")
    assert (result["train_examples"], result["val_examples"]) == (8, 4)
    shutil.copyfile(photo_folder / "val" / "cat" / "0.JPEG", folder / "cat" / "new.JPEG")
    kept = rows_of(workdir)
    lower_case = ("--model", "resnet20")
    again = run(IMAGENET, *small(folder, workdir, *balanced, "--steps", 4, "--val-share", 0.34, *lower_case))
    assert again.returncode == 0, again.stderr
    assert "continuing at step 2 of 4" in again.stdout
    assert rows_of(workdir) == kept
    other = run(IMAGENET, *small(folder, workdir, *balanced, "--steps", 4, "--val-share", 0.5))
    assert other.returncode == 2
    assert "val_share" in other.stderr or "--val-share" in other.stderr


def test_a_fold_of_a_list_with_a_bad_photo_and_strictly(photo_folder, tmp_path):
    (photo_folder / "train" / "dog" / "0.JPEG").write_bytes(b"")
    lines = ["path,label", *(f"train/{c}/{i}.JPEG,a {c}" for c in ("cat", "dog") for i in range(6))]
    (photo_folder / "list.csv").write_text("\n".join(lines))
    flags = ("--folds", 3, "--fold", 2, "--steps", 2)
    done = run(IMAGENET, *small(photo_folder / "list.csv", tmp_path / "run", *flags))
    assert done.returncode == 0, done.stderr
    assert "list: 2 classes; photos: 7 in train, 4 in val" in done.stdout
    assert "left out: photos that do not decode: 1, train/dog/0.JPEG" in done.stdout
    assert "train/dog/0.JPEG: the file is empty" in done.stderr
    assert json.loads((tmp_path / "run" / "result.json").read_text())["val_split"] == "fold 2 of 3 of list"
    done = run(IMAGENET, *small(photo_folder / "list.csv", tmp_path / "strict", "--strict", *flags))
    assert (done.returncode, done.stdout) == (2, "")
    assert "--strict: list has photos that do not decode: 1, train/dog/0.JPEG: repair" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_a_balanced_run_continues_bit_for_bit(balance, photo_folder, tmp_path):
    """Of classes of 6 and 2 photos: in one piece, and stopped after a step."""
    for number in range(2, 6):
        (photo_folder / "train" / "dog" / f"{number}.JPEG").unlink()
    flags = ("--balance", balance, "--steps")
    for folder, steps in (("whole", (3,)), ("pieces", (1, 3))):
        for count in steps:
            done = run(IMAGENET, *small(photo_folder, tmp_path / folder, *flags, count), "--schedule", "plateau")
            assert done.returncode == 0, done.stderr
    weights = [
        np.load(tmp_path / name / "checkpoints" / "step-000000003" / "variables.npz") for name in ("whole", "pieces")
    ]
    assert weights[0].files == weights[1].files
    for name in weights[0].files:
        np.testing.assert_array_equal(weights[0][name], weights[1][name])


def test_balancing_needs_photos_in_files(real_data, tmp_path):
    done = run(IMAGENET, "--data", "cifar10", "--data-dir", real_data("tfds"), "--balance", "weights", "--steps", 1,
               "--model", "ResNet20", "--image-size", 32, "--workdir", tmp_path / "run")  # fmt: skip
    assert done.returncode == 2
    assert "--balance counts photos in files of their own, which train[:45000] has not: leave it out" in done.stderr
