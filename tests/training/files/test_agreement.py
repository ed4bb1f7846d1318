"""A run of other settings is refused early, unless what differs may still be filled in."""

import json

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.training.files.agreement import check_earlier
from keras_resnet.training.files.checkpoints import CheckpointFolder

BEFORE = {"seed": 1, "steps": 5, "context": True, "regions": 8}
DEFAULTS = {"seed": 0, "steps": None, "context": False, "regions": None}


@pytest.fixture(params=["finished", "begun"])
def folder(request, tmp_path):
    """That of a run with a result, or of one with a checkpoint."""
    (tmp_path / "settings.json").write_text(json.dumps(BEFORE))
    if request.param == "finished":
        (tmp_path / "result.json").write_text(json.dumps({"settings": BEFORE}))
    else:
        (tmp_path / "checkpoints").mkdir()
        CheckpointFolder(tmp_path / "checkpoints").save({"kernel": np.zeros(3)}, {"step": 3}, BEFORE)
    return tmp_path


@pytest.mark.parametrize("now", [{}, {"steps": 6}, {"steps": None, "context": False, "regions": None}])
def test_the_run_itself_a_longer_one_and_what_is_not_filled_in_pass(now, folder):
    """A detector's run takes its context and regions from the detector that it starts from."""
    check_earlier(folder, BEFORE | now, DEFAULTS)


@pytest.mark.parametrize("now", [{"seed": 0}, {"steps": 4}, {"regions": 9}])
def test_other_settings_are_refused(now, folder):
    ((name, value),) = now.items()
    with pytest.raises(InputError, match=f"other settings .{name} was {BEFORE[name]} and is {value}"):
        check_earlier(folder, BEFORE | now, DEFAULTS)


def test_a_step_0_and_damaged_files_prove_nothing(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(BEFORE))
    (tmp_path / "result.json").write_text("{")
    (tmp_path / "checkpoints").mkdir()
    CheckpointFolder(tmp_path / "checkpoints").save({"kernel": np.zeros(3)}, {"step": 0}, BEFORE)
    check_earlier(tmp_path, BEFORE | {"seed": 2}, DEFAULTS)
    check_earlier(tmp_path / "nothing", BEFORE, DEFAULTS)
