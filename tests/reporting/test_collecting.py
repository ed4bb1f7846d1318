"""Results are sorted by kind and grouped by settings, and damaged ones are reported."""

import json
import shutil

import pytest
from run_results import write_run

from keras_resnet import InputError
from keras_resnet.reporting import collect


def test_seeds_are_grouped_and_studies_keep_their_runs(tmp_path):
    write_run(tmp_path / "a", "ResNet20", 0, 10.0)
    write_run(tmp_path / "b", "ResNet20", 1, 12.0)
    write_run(tmp_path / "c", "ResNet20", 0, 9.0, shortcut="B")
    write_run(tmp_path / "study" / "arm-seed0", "ResNet20", 0, 50.0)
    (tmp_path / "study" / "result.json").write_text('{"study": "s"}')
    (tmp_path / "looked").mkdir()
    (tmp_path / "looked" / "result.json").write_text('{"instrument": "responses"}')
    results = collect(tmp_path)
    assert (len(results.runs), len(results.studies), len(results.instruments)) == (3, 1, 1)
    groups = results.groups()
    assert [group["seeds"] for group in groups] == [[0, 1], [0]]
    assert groups[0]["scores"]["val_error"] == (11.0, pytest.approx(2**0.5))
    assert groups[1]["scores"]["val_error"] == (9.0, None)
    assert "test_error" not in groups[0]["scores"]


def test_a_seed_counts_once(tmp_path, capsys):
    """A copied folder has the settings and the seed of the first."""
    write_run(tmp_path / "a", "ResNet20", 0, 10.0)
    write_run(tmp_path / "b", "ResNet20", 1, 12.0)
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    results = collect(tmp_path)
    assert list(results.runs) == [tmp_path / "a", tmp_path / "b"]
    assert results.groups()[0]["seeds"] == [0, 1]
    expected = f"{tmp_path / 'copy'} is left out: it is a run with the settings and the seed of {tmp_path / 'a'}"
    assert expected in capsys.readouterr().err


def test_files_that_are_no_results_are_named_and_left_out(tmp_path, capsys):
    write_run(tmp_path / "good", "ResNet20", 0, 10.0)
    texts = {"half": '{"model": ', "other": '{"x": 1}', "list": "[1]", "deep": "[" * 100_000}
    texts |= {"theirs": '{"settings": {"rate": 1}, "seed": 0}', "no settings": '{"settings": [1], "seed": 0}'}
    run = json.loads((tmp_path / "good" / "result.json").read_text())
    texts |= {"no data": json.dumps(run | {"settings": {"model": "ResNet20"}})}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(text)
    assert len(collect(tmp_path).groups()) == 1
    named = capsys.readouterr().err
    assert [name for name in texts if f"{name}/result.json is left out" not in named] == []


def test_empty_and_missing_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no result\.json below"):
        collect(tmp_path)
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        collect(tmp_path / "nowhere")
