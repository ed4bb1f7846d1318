"""The fine-tuning recipe, run as a user runs it."""

import json
import shutil

import numpy as np
import pytest
from programs import load_program, run

import keras_resnet
from keras_resnet.training.files.checkpoints import CheckpointFolder
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.weights import CAFFE, named_arrays

pytestmark = pytest.mark.long


def finetune(*arguments):
    return run("recipes/finetune.py", *arguments)


def test_frozen_parts_stay_and_the_run_continues(photo_folder, tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=5)
    model.preprocessing, model.licence = CAFFE, "CC0"
    model.save(tmp_path / "trained.keras")
    arguments = ["--model", tmp_path / "trained.keras", "--data", photo_folder, "--workdir", tmp_path / "run"]
    arguments += ["--batch-size", 4, "--base-lr", 1e-4, "--epochs", 3, "--unfreeze-every", 1]
    arguments += ["--freeze", "conv2", "--freeze-bn"]
    done = finetune(*arguments)
    assert done.returncode == 0, done.stderr
    tuned = keras_resnet.load_model(tmp_path / "run" / "last.keras")
    before, after = named_arrays(model), named_arrays(tuned)
    for name in before:
        if not name.startswith("predictions"):
            still = name.startswith(("conv1", "conv2")) or "_bn/" in name
            assert np.array_equal(before[name], after[name]) == still, name
    assert (tuned.class_names, tuned.licence, tuned.output_shape) == (("cat", "dog"), "CC0", (None, 2))
    assert tuned.preprocessing.channels == "BGR"
    assert json.loads((tmp_path / "run" / "result.json").read_text())["steps"] == 9
    again = finetune(*arguments)
    assert again.returncode == 0, again.stderr


def test_fine_tuning_learns(photo_folder, tmp_path):
    """On 12 photos of two classes that differ only in brightness, the loss falls from chance to almost zero. There are
    fewer epochs than its patience has, so that the run trains for all of them and ends with the best."""
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=5)
    model.preprocessing = CAFFE
    model.save(tmp_path / "trained.keras")
    arguments = ["--model", tmp_path / "trained.keras", "--data", photo_folder, "--workdir", tmp_path / "run"]
    done = finetune(*arguments, "--batch-size", 4, "--base-lr", 0.2, "--epochs", 6, "--patience", 9)
    assert done.returncode == 0, done.stderr
    losses = [row["loss"] for row in read_metrics(tmp_path / "run" / "metrics.csv") if "loss" in row]
    print("loss of each epoch", losses)
    assert losses[0] > 0.3
    assert losses[-1] < 0.1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["val_error"], result["steps"]) == (0, 18)
    epoch = result["best_step"] // 3
    assert f"\nthe network is that of epoch {epoch} (step {3 * epoch}), with the lowest" in done.stdout


@pytest.mark.parametrize(
    ("photos", "batch", "length"),
    [(100, None, "steps"), (426, None, "steps"), (427, None, "epochs"), (427, 64, "steps"), (20, 1, "epochs")],
)
def test_few_photos_get_more_epochs(photos, batch, length):
    """15 epochs of 427 photos are 200 steps of 32."""
    program = load_program("recipes/finetune.py")
    chosen = program.preset(program.Settings(model="a.keras", batch_size=batch), photos)
    assert {"steps": 200, "epochs": 15}[length] == chosen[length]
    assert len(chosen.keys() & {"steps", "epochs"}) == 1


def test_photos_that_are_added_do_not_change_the_length_of_a_run_that_goes_on(photo_folder, tmp_path, monkeypatch):
    """15 epochs of 14 photos would be more than the 200 steps with which a run of 13 photos begins, one by one."""
    photo = photo_folder / "train" / "cat" / "0.JPEG"
    shutil.copyfile(photo, photo.with_name("new.JPEG"))
    model = keras_resnet.ResNet20(blocks=(1,), filters=(4,), classes=5)
    model.preprocessing = CAFFE
    model.save(tmp_path / "trained.keras")
    program = load_program("recipes/finetune.py")
    flags = {"model": str(tmp_path / "trained.keras"), "data": str(photo_folder), "workdir": tmp_path / "run"}
    settings = program.Settings(**flags, batch_size=1)

    def train_to(step):
        def saves(self, now):
            if now > step:
                raise KeyboardInterrupt
            return now == step

        monkeypatch.setattr("keras_resnet.training.state.Calendar.saves", saves)
        with pytest.raises(KeyboardInterrupt):
            program.main(settings)
        return CheckpointFolder(tmp_path / "run" / "checkpoints").newest()[1]["step"]

    assert train_to(1) == 1
    shutil.copyfile(photo, photo.with_name("newer.JPEG"))
    assert train_to(2) == 2
    kept = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert (kept["steps"], kept["epochs"]) == (200, None)


def test_a_stage_that_the_network_lacks_is_refused_before_a_folder_is_created(photo_folder, tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=5)
    model.preprocessing = CAFFE
    model.save(tmp_path / "trained.keras")
    flags = ("--data", photo_folder, "--workdir", tmp_path / "run", "--freeze", "conv5")
    done = finetune("--model", tmp_path / "trained.keras", *flags)
    assert done.returncode == 2
    assert "trained.keras has no conv5: give --freeze one of conv1, conv2, conv3, conv4." in done.stderr
    assert not (tmp_path / "run").exists()


def test_untrained_networks_are_refused_before_a_folder_is_created(photo_folder, tmp_path):
    for arguments, words in (
        (["--model", "ResNet20"], "ResNet20 is not a trained network of keras_resnet"),
        ([], "--model must name a trained network"),
    ):
        done = finetune(*arguments, "--data", photo_folder, "--workdir", tmp_path / "run")
        assert (done.returncode, words in done.stderr.splitlines()[-1]) == (2, True)
    assert not (tmp_path / "run").exists()
