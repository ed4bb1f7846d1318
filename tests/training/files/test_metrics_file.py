"""The metrics file survives a process killed while writing, and damage of any kind to its lines."""

import pytest

from keras_resnet.training import Classification
from keras_resnet.training.files.metrics_file import CHECKPOINT_ROWS, Metrics, read_metrics, write_metrics

COLUMNS = Classification.metric_names
ROWS = [
    {"split": "train", "step": 50, "images": 6400, "loss": 2.0, "error": 80.0, "learning_rate": 0.1},
    {"split": "validation", "step": 50, "images": 6400, "loss": 1.9, "error": 75.5},
    {"split": "train", "step": 100, "images": 12800, "loss": 1.5, "error": 60.25, "learning_rate": 0.1},
]


@pytest.fixture
def path(tmp_path):
    write_metrics(tmp_path / "metrics.csv", ROWS, COLUMNS)
    return tmp_path / "metrics.csv"


def gone_back(path, step, saved=()):
    metrics = Metrics(path)
    metrics.go_back(step, COLUMNS, list(saved))
    return metrics


def test_metrics_file_round_trip_and_half_a_line(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = gone_back(path, 0)
    for row in ROWS:
        metrics.add(row)
    assert read_metrics(path) == ROWS == metrics.rows
    with open(path, "a") as file:
        file.write("train,10")  # the process ended while writing
    assert read_metrics(path) == ROWS
    assert read_metrics(tmp_path / "none.csv") == []
    assert gone_back(path, 100).rows == ROWS
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def test_rows_after_the_step_are_dropped(path):
    assert gone_back(path, 99).rows == read_metrics(path) == ROWS[:2]


DAMAGE = {
    "foreign": b"hello\r\n",
    "not UTF-8": b"train,5\xff,1,1,1,,1,,\r\n",
    "torn": b"train,50,64\r\n",
    "joined": b"train,50,6400,2.0,80.0,,0.1,,train,50,6400,2.0,80.0,,0.1,,\r\n",
    "quote": b'"train,50,6400,2.0,80.0,,0.1,,\r\n',
    "zeros": b"\0" * 200 + b"\r\n",
    "other split": b"test,50,6400,2.0,80.0,,0.1,,\r\n",
    "nan": b"train,50,6400,nan,80.0,,0.1,,\r\n",
    "long number": b"train," + b"9" * 5000 + b",6400,2.0,80.0,,0.1,,\r\n",
    "negative step": b"train,-1,6400,2.0,80.0,,0.1,,\r\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_with_an_invalid_line_is_renamed_and_its_other_rows_stay(damage, path, capsys):
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], DAMAGE[damage], *lines[2:]])
    path.write_bytes(damaged)
    assert read_metrics(path) == ROWS
    assert gone_back(path, 100).rows == read_metrics(path) == ROWS
    assert path.with_name("metrics.csv.damaged").read_bytes() == damaged
    assert "1 of its lines is not a row" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a,b\n1,2\n", b"split,step,images,other\ntrain,1,1,1\n"])
def test_a_file_of_other_columns_is_rebuilt_from_the_rows_of_the_checkpoint(content, path):
    path.write_bytes(content)
    assert gone_back(path, 100, saved=ROWS[1:]).rows == read_metrics(path) == ROWS[1:]
    assert path.with_name("metrics.csv.damaged").read_bytes() == content


def test_rows_of_the_checkpoint_replace_missing_ones(path, capsys):
    write_metrics(path, ROWS[:1], COLUMNS)
    assert gone_back(path, 100, saved=ROWS[1:]).rows == ROWS
    assert gone_back(path, 100, saved=ROWS[1:]).rows == ROWS  # but only once
    assert capsys.readouterr().err == ""
    path.unlink()
    assert gone_back(path, 100, saved=ROWS[1:]).rows == ROWS[1:]
    assert "metrics.csv is gone: it starts again with the 2 rows" in capsys.readouterr().err


def test_a_file_deleted_during_the_run_is_written_again(path):
    metrics = gone_back(path, 50)
    path.unlink()
    metrics.add(ROWS[2])
    assert read_metrics(path) == ROWS


def test_a_checkpoint_keeps_a_bounded_number_of_rows(path):
    metrics = gone_back(path, 0)
    metrics.rows = [{"split": "train", "step": step, "loss": 0.1} for step in range(CHECKPOINT_ROWS + 5)]
    assert metrics.last() == metrics.rows[5:]
