"""A run's folder is never half written and never mixes two runs."""

import json

import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError
from keras_resnet.training import SGD
from keras_resnet.training.workdir import Workdir, write_whole


def trained(rng):
    model = keras_resnet.ResNet20()
    model.compile(SGD(0.1), "sparse_categorical_crossentropy")
    model.train_on_batch(rng.normal(size=(4, 32, 32, 3)), rng.integers(0, 10, 4))
    return model


def test_a_checkpoint_brings_back_weights_optimizer_and_state(tmp_path, rng):
    model = trained(rng)
    workdir = Workdir(tmp_path, {"model": "ResNet20"})
    assert workdir.restore(model) is None
    (workdir.checkpoints / "part-1").mkdir()  # what a process killed while saving leaves
    workdir = Workdir(tmp_path, {"model": "ResNet20"})
    for step in (5, 10, 15):
        workdir.save_checkpoint(model, {"step": step})
    assert sorted(p.name for p in workdir.checkpoints.iterdir()) == ["step-000000010", "step-000000015"]
    other = keras_resnet.ResNet20()
    other.compile(SGD(0.1), "sparse_categorical_crossentropy")
    assert Workdir(tmp_path, {"model": "ResNet20"}).restore(other) == {"step": 15}
    pairs = zip(model.variables + model.optimizer.variables, other.variables + other.optimizer.variables, strict=True)
    for a, b in pairs:
        if "seed" not in a.path:
            np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)


def test_other_settings_are_refused_and_listed(tmp_path):
    Workdir(tmp_path, {"model": "ResNet56", "seed": 0, "workdir": "a"})  # nothing was trained: nothing to lose
    Workdir(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "a"}).write_json("result.json", {})
    Workdir(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "b"})
    with pytest.raises(InputError, match="model was ResNet20 and is ResNet32; seed was 0 and is 1"):
        Workdir(tmp_path, {"model": "ResNet32", "seed": 1, "workdir": "a"})
    assert json.loads((tmp_path / "settings.json").read_text())["model"] == "ResNet20"


def test_a_workdir_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"workdir .*file/run cannot be written .* choose another --workdir"):
        Workdir(tmp_path / "file" / "run", {})


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
