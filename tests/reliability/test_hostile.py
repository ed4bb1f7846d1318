"""Hostile and damaged input ends in one sentence: a sample of each family. ``make reliability`` tries many more."""

import json
from pathlib import Path

import pytest
from programs import run

MEASURE = Path(__file__).with_name("measure.py")
FAMILIES = ("weights", "run folders", "data", "settings", "permissions")
CASES = [12, pytest.param(60, marks=pytest.mark.slow)]  # of each family


@pytest.mark.long
@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_case_of_a_sample_is_kept(family, cases, seed, tmp_path):
    tried(family, cases, seed, tmp_path)


@pytest.mark.slow
def test_two_faults_of_each_kind_that_strike_running_programs_are_survived(seed, tmp_path):
    tried("processes", 14, seed, tmp_path)


def tried(family, cases, seed, tmp_path):
    """Try cases of a family; all must be kept."""
    done = run(MEASURE, "--families", family, "--cases", cases, "--seed", seed, "--json", tmp_path / "table.json")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    (row,) = json.loads((tmp_path / "table.json").read_text())["tables"]["hostile"]["rows"]
    assert int(row[2]) == int(row[3]) >= 10  # tried and kept
