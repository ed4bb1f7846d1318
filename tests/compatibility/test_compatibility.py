"""The stored table of versions is that of pyproject.toml's ranges: all within them pass, and nothing below does."""

import json

import pytest
from conftest import ROOT
from packaging.version import Version
from programs import load_program

measure = load_program("tests/compatibility/measure.py")
STORED = json.loads((ROOT / "docs" / "results" / "compat.json").read_text())["tables"]["compat"]
ROWS = [dict(zip(STORED["columns"], row, strict=True)) for row in STORED["rows"]]
COLUMNS = {"keras": "Keras", "tensorflow": "TensorFlow", "numpy": "NumPy"}
RANGES = {requirement.name: requirement.specifier for requirement in measure.declared()}


def test_every_python_was_tried_with_the_lowest_and_the_newest_versions():
    tried = {(row["Python"].rpartition(".")[0], row["versions"]) for row in ROWS}
    pythons = {python for python, _ in tried}
    assert pythons >= {"3.11", "3.13"}
    assert tried >= {(python, which) for python in pythons for which in ("lowest", "newest")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['Python']} {row['versions']}")
def test_what_is_declared_passes_and_what_is_below_fails(row):
    inside = {name: row[column] in RANGES[name] for name, column in COLUMNS.items() if row[column]}
    if row["versions"] in ("lowest", "newest"):
        assert inside == dict.fromkeys(COLUMNS, True)
        assert (row["result"], row["failed"]) == ("passes", "0")
        assert int(row["passed"]) > 50
    else:
        (outside,) = (name for name, declared in inside.items() if not declared)
        assert row["versions"] == f"{outside} below the range"
        assert row["result"] != "passes"


@pytest.mark.parametrize("name", COLUMNS)
def test_a_range_begins_with_the_lowest_version_that_was_tried(name):
    (bound,) = (Version(part.version) for part in RANGES[name] if part.operator == ">=")
    lowest = min(Version(row[COLUMNS[name]]) for row in ROWS if row["versions"] == "lowest")
    assert lowest.release[: len(bound.release)] == bound.release
