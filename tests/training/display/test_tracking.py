"""Trackers get the rows of metrics.csv, in their own local stores, which are read again with their own programs."""

import json
import re
import struct
import sys
import time
from pathlib import Path

import pytest
from programs import run
from small_runs import IMAGENET, small

from keras_resnet import InputError
from keras_resnet.training.display.tracking import TRACKERS, Tracking, open_tracking
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.workdir import Workdir

SETTINGS = {"model": "ResNet20", "seed": 0, "epochs": None, "data": "x" * 1000}
ROWS = [
    {"split": "train", "step": 5, "images": 20, "loss": 2.5, "error": 90.0},
    {"split": "validation", "step": 5, "images": 20, "loss": 2.25, "error": 80.0},
]


@pytest.fixture(params=["sqlite", "file"])
def mlflow_store(request, tmp_path, monkeypatch):
    """A client of an empty store of MLflow, in a database or in files."""
    mlflow = pytest.importorskip("mlflow", reason="needs the extra: mlflow")
    place = tmp_path / "store"
    uri = f"sqlite:///{place}.db" if request.param == "sqlite" else f"file:{place}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return mlflow.MlflowClient(uri)


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """Weights & Biases, offline, with a folder of its own."""
    pytest.importorskip("wandb", reason="needs the extra: wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return tmp_path / "wandb"


def only_run(client):
    (experiment,) = [candidate for candidate in client.search_experiments() if candidate.name == "keras_resnet"]
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def points(client, name):
    return [(point.step, point.value) for point in client.get_metric_history(only_run(client).info.run_id, name)]


@pytest.mark.peers
def test_mlflow_gets_settings_rows_and_results_and_goes_on_with_its_run(mlflow_store, tmp_path):
    workdir = Workdir(tmp_path / "run", SETTINGS)
    first = open_tracking("mlflow", workdir, SETTINGS)
    first.row(ROWS[0])
    first.close()
    assert only_run(mlflow_store).info.status == "KILLED"
    second = open_tracking("mlflow", workdir, SETTINGS)
    assert only_run(mlflow_store).info.status == "RUNNING"
    for row in ROWS:
        second.row(row)
    second.end({"steps": 5, "val_error": 80.0, "val_split": "x", "seconds": 1.0})
    second.close()
    workdir.close()
    stored = only_run(mlflow_store)
    assert (stored.info.status, stored.info.run_name) == ("FINISHED", "run")
    assert stored.data.params == {"model": "ResNet20", "seed": "0", "data": "x" * 500}
    assert points(mlflow_store, "train/loss") == [(5, 2.5), (5, 2.5)]
    assert points(mlflow_store, "validation/error") == [(5, 80.0)]
    assert points(mlflow_store, "final/val_error") == [(5, 80.0)]
    assert json.loads((tmp_path / "run/tracking.json").read_text()) == {"mlflow": stored.info.run_id}


def offline_rows(folder):
    """The history in the files of Weights & Biases, which are logs of LevelDB: blocks of chunks of records."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for path in sorted(folder.glob("offline-run-*/run-*.wandb")):
        log, place, content = path.read_bytes(), 7, b""  # after the file's own header
        while place + 7 <= len(log):
            _, length, kind = struct.unpack("<IHB", log[place : place + 7])
            content += log[place + 7 : place + 7 + length]
            place += 7 + length
            if 2**15 - place % 2**15 < 7:  # no chunk begins in the last bytes of a block
                place += 2**15 - place % 2**15
            if kind in (1, 4):  # the whole of a record, or its last chunk
                items = Record.FromString(content).history.item
                rows += [{"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}] if items else []
                content = b""
    return rows


@pytest.mark.peers
def test_wandb_gets_rows_offline_and_goes_on_with_its_run(offline, tmp_path):
    workdir = Workdir(tmp_path / "run", SETTINGS)
    names = []
    for row in ROWS:
        tracking = open_tracking("wandb", workdir, SETTINGS)
        tracking.row(row)
        tracking.end({"steps": 5, "val_error": 80.0})
        tracking.close()
        names.append(json.loads((tmp_path / "run/tracking.json").read_text())["wandb"])
    workdir.close()
    assert names[0] == names[1]
    end = time.monotonic() + 60
    while len(offline_rows(offline)) < len(ROWS) and time.monotonic() < end:  # its other process writes a little later
        time.sleep(0.1)
    rows = [{key: value for key, value in row.items() if not key.startswith("_")} for row in offline_rows(offline)]
    assert rows == [
        {"step": 5, "train/images": 20, "train/loss": 2.5, "train/error": 90.0},
        {"step": 5, "validation/images": 20, "validation/loss": 2.25, "validation/error": 80.0},
    ]
    assert len(list(offline.glob(f"offline-run-*/run-{names[0]}.wandb"))) == 2


@pytest.mark.peers
@pytest.mark.long
def test_wandb_without_an_account_is_refused_in_a_sentence(photo_folder, tmp_path):
    pytest.importorskip("wandb", reason="needs the extra: wandb")
    environment = {
        "WANDB_API_KEY": "",
        "WANDB_MODE": "online",
        "NETRC": str(tmp_path / "netrc"),
        "WANDB_DIR": str(tmp_path),
    }
    flags = small(photo_folder, tmp_path / "run", "--steps", 6, "--track", "wandb")
    done = run(IMAGENET, *flags, environment=environment)
    assert done.returncode == 2
    assert re.search(r"--track wandb cannot begin \(.*API key.*\): set wandb up", done.stderr.splitlines()[-1])


@pytest.mark.peers
@pytest.mark.long
def test_a_tracked_run_has_the_rows_of_its_file(mlflow_store, photo_folder, tmp_path):
    done = run(IMAGENET, *small(photo_folder, tmp_path / "run", "--steps", 6, "--track", "mlflow"))
    assert done.returncode == 0, done.stderr
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    for split in ("train", "validation"):
        expected = [(row["step"], row["loss"]) for row in rows if row["split"] == split]
        assert expected
        assert points(mlflow_store, f"{split}/loss") == expected
    assert only_run(mlflow_store).info.status == "FINISHED"


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)  # as Python marks what cannot be imported
    workdir = Workdir(tmp_path / "run", SETTINGS)
    with pytest.raises(InputError, match=rf"{name} is not installed: pip install 'keras_resnet\[{name}\]' brings it"):
        open_tracking(name, workdir, SETTINGS)
    workdir.close()
    assert not Path(tmp_path / "run/tracking.json").exists()


def test_a_tracker_that_fails_does_not_end_the_run(capsys):
    class Failing:
        run_id, asked = "1", 0

        def row(self, row):
            self.asked += 1
            raise ConnectionError("the server is gone\nand a long story")

    failing = Failing()
    tracking = Tracking(failing)
    for row in ROWS:
        tracking.row(row)
    tracking.end({"steps": 5})
    tracking.close()
    assert failing.asked == 1
    assert capsys.readouterr().err == "tracking ended (the server is gone); metrics.csv has all rows\n"


def test_without_a_tracker_nothing_is_written(tmp_path):
    workdir = Workdir(tmp_path / "run", SETTINGS)
    tracking = open_tracking("none", workdir, SETTINGS)
    tracking.row(ROWS[0])
    tracking.close()
    workdir.close()
    assert not (tmp_path / "run" / "tracking.json").exists()
