"""A run's folder never mixes two runs and belongs to one process."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.training.workdir import Workdir


def begun(path, settings):
    """A workdir with a checkpoint after some steps."""
    workdir = Workdir(path, settings)
    workdir.checkpoints.save({"a": np.zeros(1)}, {"step": 5})
    workdir.close()


def test_other_settings_are_refused_and_listed(tmp_path):
    Workdir(tmp_path, {"model": "ResNet56", "seed": 0, "workdir": "a"}).close()
    begun(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "a"})  # nothing was trained: nothing to lose
    Workdir(tmp_path, {"model": "ResNet20", "seed": 0, "workdir": "b"}).close()
    with pytest.raises(InputError, match="model was ResNet20 and is ResNet32; seed was 0 and is 1"):
        Workdir(tmp_path, {"model": "ResNet32", "seed": 1, "workdir": "a"})
    assert json.loads((tmp_path / "settings.json").read_text())["model"] == "ResNet20"


def test_a_setting_that_an_older_version_did_not_know_refuses_only_when_it_is_not_at_its_default(tmp_path):
    """Also one whose default follows a preset, and a new one that may differ."""
    begun(tmp_path, {"seed": 0})
    defaults = {"seed": 0, "scale": 1.0, "size": None, "keep_every": None}
    new = {"seed": 0, "scale": 1.0, "size": 224, "keep_every": 100}
    Workdir(tmp_path, new, defaults).close()
    (tmp_path / "settings.json").write_text('{"seed": 0}')
    with pytest.raises(InputError, match=r"other settings \(scale was 1.0 and is 2.0\)"):
        Workdir(tmp_path, new | {"scale": 2.0}, defaults)


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


def test_the_first_checkpoint_alone_is_no_run_to_lose(tmp_path):
    workdir = Workdir(tmp_path, {"seed": 0})
    workdir.checkpoints.save({"a": np.zeros(1)}, {"step": 0})
    workdir.close()
    assert Workdir(tmp_path, {"seed": 1}).checkpoints.steps() == []


def test_checkpoints_survive_lost_settings(tmp_path):
    begun(tmp_path, {"seed": 0})
    (tmp_path / "settings.json").unlink()
    assert Workdir(tmp_path, {"seed": 0}).checkpoints.steps() == [5]


def test_a_workdir_in_use_is_refused_until_its_process_is_gone(tmp_path):
    script = (
        "import sys; from keras_resnet.training.workdir import Workdir; "
        f"w = Workdir({str(tmp_path)!r}, {{}}); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match="in use by another process"):
            Workdir(tmp_path, {})
        other.kill()
    Workdir(tmp_path, {})


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(InputError, match="is on a file system without locks"):
        Workdir(tmp_path, {})


def test_only_the_chief_writes(tmp_path):
    workdir = Workdir(tmp_path / "run", {}, chief=False)
    workdir.write_json("result.json", {})
    assert not (tmp_path / "run").exists()


def test_a_workdir_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"workdir .*file/run cannot be written .* choose another --workdir"):
        Workdir(tmp_path / "file" / "run", {})
