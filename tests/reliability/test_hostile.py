"""Hostile and damaged input ends in one sentence: a sample of each family; ``make reliability`` tries a thousand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = Path(__file__).with_name("measure.py")
FAMILIES = ("weights", "run folders", "data", "settings", "permissions")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_case_of_a_sample_is_kept(family, seed, tmp_path):
    command = [sys.executable, MEASURE, "--families", family, "--seed", str(seed), "--json", tmp_path / "table.json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    (row,) = json.loads((tmp_path / "table.json").read_text())["tables"]["hostile"]["rows"]
    assert int(row[2]) == int(row[3]) >= 10  # tried and kept
