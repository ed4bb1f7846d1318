"""A damaged checkpoint is skipped, and a failed save leaves the earlier ones."""

import json
import os
import resource
import shutil
import signal

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError
from keras_resnet.files import write_whole
from keras_resnet.training import SGD, TrainingModel
from keras_resnet.training.files.checkpoints import CheckpointFolder, assign_values, values_of


@pytest.fixture
def folder(tmp_path):
    checkpoints = CheckpointFolder(tmp_path / "checkpoints")
    checkpoints.prepare()
    for step in (10, 20, 30, 40):
        checkpoints.save({"a": np.full(1000, step, np.float32)}, {"step": step})
    return checkpoints


def test_the_last_three_are_kept_and_the_newest_comes_back(folder):
    assert folder.steps() == [20, 30, 40]
    arrays, state = folder.newest()
    assert state == {"step": 40}
    np.testing.assert_array_equal(arrays["a"], np.full(1000, 40))


def test_checkpoints_kept_every_so_many_steps_stay(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoints", keep_every=20)
    folder.prepare()
    for step in range(0, 100, 10):
        folder.save({"a": np.zeros(1)}, {"step": step})
    assert folder.steps() == [0, 20, 40, 60, 70, 80, 90]


def test_damaged_checkpoints_of_later_steps_do_not_count_among_the_newest(tmp_path):
    """With those kept every so many steps a run may go back behind three damaged ones."""
    folder = CheckpointFolder(tmp_path / "checkpoints", keep_every=100)
    folder.prepare()
    for step in (100, 300, 350, 400):
        folder.save({"a": np.zeros(1)}, {"step": step})
    for step in (300, 350, 400):
        (folder.path / f"step-000000{step}" / "state.json").write_text("{}")
    assert folder.newest()[1] == {"step": 100}
    folder.save({"a": np.zeros(1)}, {"step": 150})
    for step, kept in ((170, [100, 150, 170]), (190, [100, 150, 170, 190]), (210, [100, 170, 190, 210])):
        folder.save({"a": np.zeros(1)}, {"step": step})
        assert folder.steps() == [*kept, 300, 350, 400]
        assert folder.newest()[1] == {"step": step}
    (folder.path / f"part-{os.getpid()}").touch()  # in the way of the new checkpoint
    with pytest.raises(InputError, match=r"step 290 cannot be written .* the one of step 210 is intact"):
        folder.save({"a": np.zeros(1)}, {"step": 290})


@pytest.mark.parametrize("file", ["variables.npz", "state.json"])
@pytest.mark.parametrize("damage", ["bit", "cut", "gone"])
def test_a_damaged_newest_checkpoint_is_skipped_with_a_warning(folder, file, damage, capsys):
    path = folder.path / "step-000000040" / file
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "bit" else content[: len(content) // 2])
    assert folder.newest()[1] == {"step": 30}
    message = capsys.readouterr().err
    assert "step-000000040" in message
    assert "damaged" in message


def test_if_all_are_damaged_the_run_does_not_start_afresh(folder):
    for state in folder.path.glob("*/state.json"):
        state.write_text("{}")
    with pytest.raises(InputError, match=r"All checkpoints in .* are damaged"):
        folder.newest()


def test_a_changed_state_is_damage(folder, capsys):
    path = folder.path / "step-000000040" / "state.json"
    content = json.loads(path.read_text())
    content["state"]["step"] = 41
    path.write_text(json.dumps(content))
    assert folder.newest()[1] == {"step": 30}


@pytest.mark.parametrize("content", ["null", "[]", "[" * 10**6, '{"state": {"step": 40}}', "\0"])
def test_a_state_of_another_structure_is_damage(content, folder, capsys):
    (folder.path / "step-000000040" / "state.json").write_text(content)
    assert folder.newest()[1] == {"step": 30}
    assert "step-000000040 is damaged" in capsys.readouterr().err


def test_folders_of_other_names_stay(folder):
    for name in ("step-000000040.bak", "step-abc", "step-", "step-50", "part-of-mine"):
        shutil.copytree(folder.path / "step-000000040", folder.path / name)
    assert folder.newest()[1] == {"step": 40}
    folder.prepare()
    folder.save({"a": np.zeros(1)}, {"step": 50})
    assert folder.steps() == [30, 40, 50]
    assert len(list(folder.path.glob("*/variables.npz"))) == 3 + 5


def test_a_file_in_the_place_of_a_checkpoint_is_renamed(folder, capsys):
    (folder.path / "step-000000050").write_text("mine")
    folder.save({"a": np.zeros(1)}, {"step": 50})
    assert folder.steps() == [30, 40, 50]
    assert (folder.path / "step-000000050.damaged").read_text() == "mine"


def test_settings_and_rows_are_restored(folder):
    rows = [{"split": "train", "step": 50, "images": 200, "loss": 0.1}]
    folder.save({"a": np.zeros(1)}, {"step": 50}, {"seed": 3}, rows)
    assert folder.about_run() == {"settings": {"seed": 3}, "rows": rows}
    assert (folder.rows(50), folder.rows(40)) == (rows, [])


def test_a_full_disk_fails_the_save_and_leaves_the_rest(folder):
    """The system's limit on file sizes stands in for the full disk: writing fails half way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match=r"checkpoint of step 50 cannot be written .* step 40 is intact"):
            folder.save({"a": np.zeros(100_000, np.float32)}, {"step": 50})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert folder.newest()[1] == {"step": 40}
    assert sorted(p.name for p in folder.path.iterdir()) == [f"step-0000000{n}" for n in (20, 30, 40)]


def test_files_left_by_a_killed_process_are_removed(folder):
    (folder.path / "part-1").mkdir()
    folder.prepare()
    assert not list(folder.path.glob("part-*"))


@pytest.mark.parametrize("wrong", [np.zeros(2, np.float32), np.zeros(3), np.array(["a", "b", "c"])])
def test_arrays_of_another_shape_or_kind_change_no_variable(wrong):
    variables = [keras.Variable(np.zeros(3, np.float32), name=name) for name in ("a", "b")]
    with pytest.raises(InputError, match=r"of another network \(00001 b\)"):
        assign_values(variables, {"00000 a": np.ones(3, np.float32), "00001 b": wrong})
    assert not variables[0].numpy().any()


def trained(rng, **spec):
    model = TrainingModel(keras_resnet.ResNet20(blocks=(1, 1, 1), **spec))
    model.compile(SGD(0.1))
    model.train_on_batch(rng.normal(size=(4, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 4))
    return model


@pytest.mark.long
def test_every_variable_is_restored_including_seeds_of_stochastic_depth(rng):
    model, other = trained(rng, stochastic_depth=0.5), trained(rng, stochastic_depth=0.5)
    arrays = values_of(model.checkpoint_variables())
    assert sum("seed" in name for name in arrays) == 3  # one for each block
    assert sum("momentum" in name for name in arrays) == len(model.trainable_variables)
    assign_values(other.checkpoint_variables(), arrays)
    for name, value in values_of(other.checkpoint_variables()).items():
        np.testing.assert_array_equal(value, arrays[name], err_msg=name)


@pytest.mark.long
def test_a_checkpoint_of_another_network_is_refused(rng):
    arrays = values_of(trained(rng).checkpoint_variables())
    arrays["more"] = np.zeros(1)
    with pytest.raises(InputError, match=r"checkpoint is of another network \(more\)"):
        assign_values(trained(rng).checkpoint_variables(), arrays)


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
