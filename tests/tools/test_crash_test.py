"""The crash test finds that a run killed while saving equals one that was never interrupted."""

import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.long


@pytest.mark.slow
def test_a_kill_while_saving_is_survived(photo_folder, tmp_path):
    completed = subprocess.run(
        [sys.executable, ROOT / "tools" / "crash_test.py", "--kills", "1", "--while-saving", "1", "--steps", "60",
         "--save-every", "4", "--longest", "0.1", "--workdir", tmp_path,
         "--", "--data", photo_folder, "--batch-size", "4", "--change", "blocks=[1,1,1]"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert completed.returncode == 0, completed.stderr
    (kill,) = [line for line in (tmp_path / "table.md").read_text().splitlines() if line.startswith("| 1 ")]
    assert "| a checkpoint was written |" in kill
    assert kill.endswith("| yes |")
    assert "curves (split, step, loss, error, learning_rate): equal" in completed.stdout
