"""docs/paper.md agrees with the stored results and covers the whole paper."""

import json
import re

import pytest
from conftest import ROOT

from keras_resnet import InputError
from keras_resnet.reporting import claims, markdown
from keras_resnet.reporting.paper import Claim, _ours


def test_the_page_in_docs_is_up_to_date():
    assert (ROOT / "docs" / "paper.md").read_text() == markdown(ROOT / "docs" / "results")


def covered():
    """The tables, figures and questions of rows: ``{("Table", "1"), ..., ("Fig", "7"), ("Question", "1"), ...}``."""
    named = set()
    for claim in claims():
        kind, numbers = re.match(r"(Table|Fig|Question|)s?\.? ?([\d., ]*)", claim.where).groups()
        named |= {(kind, number) for number in re.findall(r"\d+(?:\.\d+)?", numbers)}
    return named


def test_every_table_figure_and_open_question_has_a_row():
    tables = {("Table", str(number)) for number in range(1, 15)}
    figures = {("Fig", number) for number in ("1", "4", "6", "7")}
    questions = re.findall(r"^\*\*(\d+)\. ", (ROOT / "docs" / "questions.md").read_text(), re.MULTILINE)
    assert questions == [str(number) for number in range(1, 13)]
    assert (tables | figures | {("Question", number) for number in questions}) - covered() == set()


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
    with pytest.raises(InputError, match="is not a number"):
        _ours(Claim("", "", "", "", "a.json/word"), tmp_path)
