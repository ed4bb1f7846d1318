"""Runs whose photos are lost while they train: the run goes on, or stops before an error is measured."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from array_runs import PREPROCESSING, SETTINGS, stopping_at, task
from PIL import Image

from keras_resnet import InputError, data, training
from keras_resnet.training.files.checkpoints import CheckpointFolder

pytestmark = pytest.mark.long

VIEW = data.ImageNetView(PREPROCESSING, 32, more=("erasing",))  # traced once for all runs


@pytest.fixture
def photos(tmp_path, rng):
    """A folder of photos, with a copy of it."""
    for part, count in (("train", 120), ("val", 100)):
        for number in range(count):
            folder = tmp_path / "photos" / part / "abcd"[number % 4]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (36, 40, 3), dtype=np.uint8)).save(folder / f"{number:03d}.jpg")
    shutil.copytree(tmp_path / "photos", tmp_path / "copy")
    return tmp_path / "photos", tmp_path / "copy"


def start_on(photos, workdir, lost=(), test=None):
    """Train on ``photos`` with all augmentation, and delete the ``lost`` ones once the run has begun.

    ``test`` is a folder of photos to test on.
    """

    def prepare(settings):
        photo_set = training.with_first_photos(data.open_data(str(photos)), settings.workdir)
        parts = {"train": photo_set.train, "validation": photo_set.validation}
        parts |= {"test": data.folder_split(test, "test")[1]} if test else {}
        for path in lost:
            (photos / path).unlink()

        def batches(split, **options):
            return data.imagenet_batches(split, VIEW, 8, **options)

        return task(
            settings,
            None,
            **parts,
            train_batches=lambda first, shard: batches(parts["train"], seed=0, start_step=first, shard=shard),
            test_batches=lambda split, shard: batches(split, shard=shard),
            binary=True,
        )

    return training.run(training.resolve(replace(SETTINGS, steps=12), {"workdir": workdir}, "test"), prepare)


def test_a_continued_run_is_bit_exact_even_if_photos_are_lost(photos, tmp_path, capsys, monkeypatch):
    lost = ("train/b/041.jpg", "val/a/000.jpg")
    result = start_on(photos[0], tmp_path / "whole", lost)
    with monkeypatch.context() as patched:
        patched.setattr("keras_resnet.training.state.Calendar.saves", stopping_at(10))
        with pytest.raises(KeyboardInterrupt):
            start_on(photos[1], tmp_path / "stopped", lost)
    capsys.readouterr()
    other = start_on(photos[1], tmp_path / "stopped")
    output = capsys.readouterr()
    assert "continuing at step 8" in output.out
    assert "1 train photos of the run in " in output.err
    assert "1 validation photos of the run in " in output.err
    assert other["val_error"] == result["val_error"]
    folders = [CheckpointFolder(tmp_path / name / "checkpoints") for name in ("whole", "stopped")]
    (arrays, state), (expected, _) = (folder.newest() for folder in folders)
    assert state["step"] == 12
    for name, value in expected.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)


def test_a_run_that_loses_too_many_photos_stops_with_a_sentence(photos, tmp_path):
    lost = [f"train/a/{number:03d}.jpg" for number in range(0, 40, 4)]
    with pytest.raises(InputError, match=r"cannot be read: No such file or directory\. In all, \d+ of the 120 photos"):
        start_on(photos[0], tmp_path / "run", lost)


def test_no_error_is_measured_on_what_is_left_of_the_photos(photos, tmp_path):
    """Photos to validate with are lost while a run goes on and put back, then some of those to test with are."""
    (folder, copy), run = photos, tmp_path / "run"
    lost = [folder / "val" / "a" / f"{number:03d}.jpg" for number in (0, 4, 8)]
    too_many = r"In all, 3 of the 100 photos of {} are lost, more than 1%: put them back, then run the same command"
    with pytest.raises(InputError, match=too_many.format("val")):
        start_on(folder, run, lost)
    assert not (run / "best.keras").exists()
    for path in lost:
        shutil.copyfile(copy / path.relative_to(folder), path)
    with pytest.raises(InputError, match=too_many.format("test")):
        start_on(folder, run, [copy / path.relative_to(folder) for path in lost], test=copy / "val")
    assert not (run / "result.json").exists()
