"""A run's folder never mixes two runs and belongs to one process."""

import errno
import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
from programs import Program
from run_folders import FULL, Model, go_on, row, run_of

from keras_resnet import InputError
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.workdir import Workdir, read_settings
from keras_resnet.training.state import State


def begun(path, settings):
    """A workdir with a checkpoint after some steps."""
    workdir = Workdir(path, settings)
    workdir.checkpoints.save({"a": np.zeros(1)}, {"step": 5})
    workdir.close()


def test_other_settings_are_refused_and_listed(tmp_path):
    Workdir(tmp_path, {"model": "ResNet56", "seed": 0, "workdir": "a"}).close()
    begun(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "a"})  # nothing was trained yet, so nothing is lost
    Workdir(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "b"}).close()
    with pytest.raises(InputError, match="model was ResNet20 and is ResNet32; seed was 0 and is 1"):
        Workdir(tmp_path, {"model": "ResNet32", "seed": 1, "workdir": "a"})
    assert json.loads((tmp_path / "settings.json").read_text())["model"] == "ResNet20"


def test_a_setting_unknown_to_an_older_version_is_refused_only_if_it_is_not_at_its_default(tmp_path, capsys):
    """A setting whose default follows a preset is reported; one that may change is not."""
    begun(tmp_path, {"seed": 0})
    defaults = {"seed": 0, "scale": 1.0, "size": None, "side": None, "keep_every": None}
    new = {"seed": 0, "scale": 1.0, "size": 224, "side": None, "keep_every": 100}
    Workdir(tmp_path, new, defaults).close()
    assert capsys.readouterr().out == f"{tmp_path} began in a version without size: it now has 224\n"
    (tmp_path / "settings.json").write_text('{"seed": 0}')
    with pytest.raises(InputError, match=r"other settings \(scale was 1.0 and is 2.0\)"):
        Workdir(tmp_path, new | {"scale": 2.0}, defaults)


def test_a_setting_of_a_later_version_is_refused_unless_it_was_left_out(tmp_path):
    begun(tmp_path, {"seed": 0, "mixing": 3, "more": None, "workdir": "a"})
    with pytest.raises(InputError, match=r"other settings \(mixing was 3 and is unknown to this version\)"):
        Workdir(tmp_path, {"seed": 0})
    assert read_settings(tmp_path)["mixing"] == 3
    begun(tmp_path / "b", {"seed": 0, "more": None})
    Workdir(tmp_path / "b", {"seed": 0}).close()


def test_a_run_is_lengthened_and_never_shortened(tmp_path):
    begun(tmp_path, {"seed": 0, "epochs": 40, "steps": None})
    with pytest.raises(InputError, match="epochs was 40 and is 60"):
        Workdir(tmp_path, {"seed": 0, "epochs": 60, "steps": None})
    longer = Workdir(tmp_path, {"seed": 0, "epochs": 60, "steps": None}, growing=("steps", "epochs"))
    longer.close()
    assert longer.grown == {"epochs": 40}
    for other in ({"epochs": 40, "steps": None}, {"epochs": None, "steps": 9999}):
        with pytest.raises(InputError, match="epochs was 60 and is"):
            Workdir(tmp_path, {"seed": 0} | other, growing=("steps", "epochs"))


def test_a_checkpoint_of_step_0_alone_may_be_replaced(tmp_path):
    workdir = Workdir(tmp_path, {"seed": 0})
    workdir.checkpoints.save({"a": np.zeros(1)}, {"step": 0})
    workdir.close()
    assert Workdir(tmp_path, {"seed": 1}).checkpoints.steps() == []


def test_checkpoints_survive_lost_settings(tmp_path):
    begun(tmp_path, {"seed": 0})
    (tmp_path / "settings.json").unlink()
    assert Workdir(tmp_path, {"seed": 0}).checkpoints.steps() == [5]


@pytest.mark.long
def test_a_workdir_in_use_is_refused_until_its_process_is_gone(tmp_path):
    (tmp_path / "lock.py").write_text(
        "import time; from keras_resnet.training.files.workdir import Workdir; "
        f"w = Workdir({str(tmp_path / 'run')!r}, {{}}); print('locked', flush=True); time.sleep(600)"
    )
    with Program(tmp_path / "lock.py") as other:
        while other.words()[0] != "locked\n":
            assert other.poll() is None, other.words()
            time.sleep(0.01)
        with pytest.raises(InputError, match="in use by another process"):
            Workdir(tmp_path / "run", {})
        other.send_signal(signal.SIGKILL)
    Workdir(tmp_path / "run", {})


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match="is on a file system without locks"):
        Workdir(tmp_path, {})


DAMAGED = {"empty": b"", "cut": b'{"model": "Res', "list": b"[1]", "null": b"null", "other": b'{"a": 1}',
           "types": b'{"model": 3, "seed": "x", "steps": [1]}', "not UTF-8": b'{"model": "\xff"}',
           "deep": b"[" * 10**6, "values": json.dumps(FULL | {"seed": 7}).encode()}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_settings_are_renamed_and_those_of_the_checkpoint_used(damage, tmp_path, capsys):
    place = run_of(tmp_path) / "settings.json"
    place.write_bytes(DAMAGED[damage])
    with pytest.raises(InputError, match=r"other settings \(seed was 0 and is 1\)"):
        Workdir(tmp_path, FULL | {"seed": 1})
    assert (tmp_path / "settings.json.damaged").read_bytes() == DAMAGED[damage]
    assert f"{place} cannot be used" in capsys.readouterr().err
    Workdir(tmp_path, FULL).close()
    assert json.loads(place.read_text()) == read_settings(tmp_path) == FULL
    place.write_bytes(b"again")
    assert read_settings(tmp_path) == FULL
    Workdir(tmp_path, FULL).close()
    assert (tmp_path / "settings.json.damaged-2").read_bytes() == b"again"


@pytest.mark.parametrize("name", ["train", "validation", "checkpoints", "best.keras", "result.json", "metrics.csv"])
def test_a_file_in_the_place_of_a_folder_or_the_reverse_is_renamed(name, tmp_path, capsys):
    path = run_of(tmp_path, steps=()) / name
    path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
    if name in ("train", "validation", "checkpoints"):
        path.write_text("mine")
    else:
        path.mkdir()
    Workdir(tmp_path, FULL).close()
    assert (tmp_path / f"{name}.damaged").exists()
    assert f"{path} cannot be used" in capsys.readouterr().err


def test_starting_again_without_checkpoints_is_announced_and_other_settings_are_refused(tmp_path, capsys):
    run_of(tmp_path)
    (tmp_path / "best.keras").write_text("")
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.raises(InputError, match="seed was 0 and is 1"):
        Workdir(tmp_path, FULL | {"seed": 1})
    assert "starting again" not in capsys.readouterr().out
    Workdir(tmp_path, FULL).close()
    assert "checkpoints has no checkpoint of a later step: starting again at step 0" in capsys.readouterr().out


def test_a_folder_deleted_during_a_run_gets_no_files_and_the_right_advice(tmp_path):
    path = tmp_path / "run"
    workdir = Workdir(path, FULL)
    shutil.rmtree(path)
    for write in (lambda: workdir.write_json("result.json", {}), lambda: workdir.restore_rows(0, ()),
                  lambda: workdir.save_checkpoint(Model(), State())):  # fmt: skip
        with pytest.raises(InputError, match="was deleted or moved while the run went on"):
            write()
    Workdir(path, FULL | {"seed": 1}).close()  # another process has taken the folder
    with pytest.raises(InputError, match="lock was removed while the run went on"):
        workdir.save_checkpoint(Model(), State())
    assert read_settings(path)["seed"] == 1


def test_a_checkpoint_folder_deleted_during_a_run_is_created_again(tmp_path, capsys):
    workdir = Workdir(tmp_path, FULL)
    workdir.save_checkpoint(Model(), State(step=3))
    shutil.rmtree(tmp_path / "checkpoints")
    workdir.save_checkpoint(Model(), State(step=6))
    assert workdir.checkpoints.steps() == [6]
    assert "checkpoints was deleted while the run went on" in capsys.readouterr().err


def test_rows_come_from_the_checkpoint_if_the_file_is_damaged(tmp_path):
    run_of(tmp_path, steps=(0, 5, 6))
    (tmp_path / "metrics.csv").write_bytes(b"\xff\n")
    assert go_on(Workdir(tmp_path, FULL), ()) == (6, [row(5), row(6)], 6.0)
    assert read_metrics(tmp_path / "metrics.csv") == [row(5), row(6)]


def test_only_the_chief_writes(tmp_path):
    workdir = Workdir(tmp_path / "run", {}, chief=False)
    workdir.write_json("result.json", {})
    assert not (tmp_path / "run").exists()


def test_a_workdir_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"workdir .*file/run cannot be written .* choose another --workdir"):
        Workdir(tmp_path / "file" / "run", {})


def test_settings_that_may_grow_are_no_damage(tmp_path):
    run_of(tmp_path / "run")
    for steps in (90, 180):
        Workdir(tmp_path / "run", FULL | {"steps": steps}, growing=("steps",)).close()
    assert not list((tmp_path / "run").glob("*.damaged*"))
