"""The measured tables in the pages equal those of the stored results."""

import json
import re

import pytest
from conftest import ROOT
from scipy import stats

from keras_resnet import InputError
from keras_resnet.reporting import filled

RESULTS = ROOT / "docs" / "results"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MEASURED = (
    "analysis.md",
    "compatibility.md",
    "detection.md",
    "performance.md",
    "reliability.md",
    "scaling.md",
    "testing.md",
)
MARKS = re.compile(r"<!-- (table [^>]*|not measured here) -->")

COMMANDS = "| task | command |"  # the head of a table without numbers


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_marked_table_is_that_of_its_file(page):
    text = page.read_text()
    assert filled(text, RESULTS) == text, "run tools/paper_map.py"


@pytest.mark.parametrize("name", MEASURED)
def test_each_table_of_a_measured_page_says_where_it_comes_from(name):
    lines = (ROOT / "docs" / name).read_text().splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("|") and not lines[i - 1].startswith("|")]
    unmarked = [lines[i] for i in starts if lines[i] != COMMANDS and not MARKS.fullmatch(lines[i - 1])]
    assert not unmarked


def test_a_changed_cell_is_put_right_and_a_missing_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"tables": {"t": {"columns": ["x", "y"], "rows": [["one", "1"]]}}}))
    table = "<!-- table t: a -->\n| x | y |\n|---|--:|\n| one | 1 |\n"
    assert filled(f"Before\n\n{table}\nafter\n", tmp_path) == f"Before\n\n{table}\nafter\n"
    assert filled(f"{table.replace('| 1 |', '| 2 |')}\nafter\n", tmp_path) == f"{table}\nafter\n"
    assert filled("<!-- table t: a -->\nafter\n", tmp_path) == f"{table}after\n"
    with pytest.raises(InputError, match=r"b\.json, which does not exist"):
        filled("<!-- table t: b -->\n", tmp_path)
    with pytest.raises(InputError, match=r"no table u in .*a\.json"):
        filled("<!-- table u: a -->\n", tmp_path)


def test_results_say_how_they_came_about():
    for path in RESULTS.glob("*.json"):
        assert {"command", "commit", "hardware", "versions"} <= json.loads(path.read_text()).keys(), path.name


def test_networks_at_equal_loss_are_compared_by_seed(tmp_path):
    """The interval of each row is that of scipy's test at 95 % for all four rows together."""
    plain, residual = (4.0, 5.0, 7.5), (3.0, 3.5, 3.1)
    names = [f"{net}-seed{seed}-loss1.3" for net in ("PlainNet20", "ResNet20") for seed in range(3)]
    values = dict(zip(names, plain + residual, strict=True))
    rows = {
        "curvature": lambda value: {"top": [value]},
        "lipschitz": lambda value: [{"name": "stem", "local": [99.0]}, {"name": "conv2_block1", "local": [1, value]}],
        "conditioning": lambda value: {"conv2_block1": {}, "conv4_block3": {"product": {"95%": value}}},
        "gradients": lambda value: {"correlation": {"0.1": value}},
    }
    for name, row in rows.items():
        result = {"instrument": name, name: {network: row(value) for network, value in values.items()}}
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    table = filled(f"<!-- table equal loss: {' '.join(rows)} -->\n", tmp_path).splitlines()[3:]
    test = stats.ttest_ind(residual, plain, equal_var=False)
    low, high = test.confidence_interval(1 - 0.05 / 4)
    for row in table:
        assert row.endswith(f"| 4 to 7.5 | 3 to 3.5 | -2.3 ({low:+.3g} to {high:+.3g}) |")
    assert len(table) == 4
