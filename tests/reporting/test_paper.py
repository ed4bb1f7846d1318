"""docs/paper.md is what the stored results say, and covers the whole paper."""

import json

import pytest
from conftest import ROOT

from keras_resnet import InputError
from keras_resnet.reporting import claims, markdown
from keras_resnet.reporting.paper import Claim, _ours


def test_the_page_in_docs_is_up_to_date():
    assert (ROOT / "docs" / "paper.md").read_text() == markdown(ROOT / "docs" / "results")


def test_every_table_figure_and_point_of_the_review_has_a_row():
    places = " ".join(claim.where for claim in claims())
    for number in range(1, 15):
        assert any(str(number) in c.where.replace(",", "").split() for c in claims() if c.where.startswith("Table"))
    assert all(f"Fig. {n}" in places or f"{n}" in places for n in (1, 4, 6, 7))
    for point in ("4.1", "4.2", "4.3", "4.4", "5.1", "5.2", "5.3", "5.4"):
        assert point in places


def test_commands_are_files_that_exist():
    for claim in claims():
        words = claim.command.split()
        if words and words[1].endswith(".py"):
            assert (ROOT / words[1]).exists(), claim.command


def test_numbers_come_from_the_named_file_or_are_not_run(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"x": {"y": 2.5e9}, "none": None, "word": "w"}))
    assert _ours(Claim("", "", "", "", "a.json/x/y", 1e-9), tmp_path).startswith("2.5 ([result](results/a.json)")
    for source in ("", "b.json/x", "a.json/x/z", "a.json/none"):
        assert _ours(Claim("", "", "", "", source), tmp_path) == "not run"
    with pytest.raises(InputError, match="is no number"):
        _ours(Claim("", "", "", "", "a.json/word"), tmp_path)
