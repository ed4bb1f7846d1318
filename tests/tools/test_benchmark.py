"""The benchmark tool runs and prints its table; its numbers are not asserted."""

import json
import sys

import numpy as np
import pytest
from benchmark_networks import Train
from conftest import ROOT, randomize
from programs import run

import keras_resnet
from keras_resnet import InputError
from keras_resnet.specs import SPECS
from keras_resnet.weights import named_arrays
from keras_resnet.weights.torch_names import torch_layout, torchvision_key

pytestmark = pytest.mark.long


SHALLOW = """
import dataclasses, functools, os, runpy, sys
import keras_resnet
build = keras_resnet.build
keras_resnet.build = lambda spec, **how: build(dataclasses.replace(spec, width=0.125, blocks=(1, 1, 1, 1)), **how)
keras_resnet.ResNet20 = functools.partial(keras_resnet.ResNet20, blocks=(1, 1, 1))
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def shallow(tmp_path):
    """A program that runs another one with networks of few blocks, narrow ones for detection."""
    (tmp_path / "shallow.py").write_text(SHALLOW)
    return tmp_path / "shallow.py"


def test_input_benchmark_prints_a_table(photo_folder):
    small = ("--rounds", "1", "--seconds", "0.2", "--image-size", "32", "--batch-size", "8", "--shorter-side", "36")
    completed = run("tools/benchmark.py", "input", "--data", photo_folder / "train", *small)
    assert completed.returncode == 0, completed.stderr
    assert "| crop first |" in completed.stdout
    assert "| decode, resize, crop |" in completed.stdout
    assert "| crop first, shorter side 36 |" in completed.stdout
    assert "| 12 | 12 |" in completed.stdout  # photos of 48 x 40 pixels


@pytest.mark.slow
def test_files_benchmark_opens_what_it_wrote_twice(tmp_path):
    completed = run("tools/benchmark.py", "files", "--files", "40", "--classes", "2", "--json", tmp_path / "files.json")
    assert completed.returncode == 0, completed.stderr
    table = json.loads((tmp_path / "files.json").read_text())["tables"]["files"]
    assert [row[0] for row in table["rows"]] == ["first start", "second start"]
    assert table["columns"][0] == "40 photos in 2 classes"


def test_records_benchmark_gives_the_share_of_checksums():
    completed = run(
        "tools/benchmark.py", "records", "--records", "64", "--kilobytes", "4", "--rounds", "1", "--seconds", "0.1"
    )
    assert completed.returncode == 0, completed.stderr
    share = next(line for line in completed.stdout.splitlines() if line.startswith("| checksums alone |")).split("|")[3]
    assert 0 < float(share.strip(" %")) < 100


def test_fit_benchmark_compares_strategies_and_counts_checkpoints(shallow):
    completed = run(shallow, ROOT / "tools" / "benchmark.py", "fit", "--rounds", "1", "--steps", "1")
    assert completed.returncode == 0, completed.stderr
    assert "| MirroredStrategy, one replica |" in completed.stdout
    assert "with one every 200 steps" in completed.stdout


@pytest.mark.slow
def test_training_benchmark_gives_shares_of_a_peak_measured_in_the_same_turns(tmp_path):
    small = (
        "--models",
        "ResNet20",
        "--precisions",
        "float32",
        "--batch-size",
        "4",
        "--rounds",
        "2",
        "--seconds",
        "0.1",
    )
    out = ("--json", tmp_path / "train.json", "--plot", tmp_path / "train.png")
    completed = run("tools/benchmark.py", "train", *small, *out)
    assert completed.returncode == 0, completed.stderr
    table = json.loads((tmp_path / "train.json").read_text())["tables"]["train"]
    ours, stock, peak = (dict(zip(table["columns"], row, strict=True)) for row in table["rows"])
    assert [row["system"] for row in (ours, stock, peak)] == ["keras_resnet", "stock normalization", "matrix peak"]
    for row in (ours, stock):
        assert float(row["least"]) <= float(row["images/s"]) <= float(row["most"])
        # 3 passes of 40.6 million multiply-adds (Sec. 4.2's ResNet-20), 2 operations each
        assert float(row["GFLOP/s"]) == pytest.approx(float(row["images/s"]) * 3 * 2 * 0.0406, abs=1)
        assert float(row["of the peak"].strip("%")) == pytest.approx(
            100 * float(row["GFLOP/s"]) / float(peak["GFLOP/s"]), abs=3
        )
    assert float(stock["ours to it"]) == pytest.approx(float(ours["images/s"]) / float(stock["images/s"]), abs=0.02)
    assert (tmp_path / "train.png").stat().st_size > 5_000


def test_a_peer_that_is_not_installed_is_named_with_the_way_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="needs PyTorch, which is not installed: make peers installs it"):
        Train(peer="torch")


@pytest.mark.peers
@pytest.mark.parametrize("name", ["ResNet20", "ResNet50", "PlainNet20", "PlainNet34"])
def test_the_networks_of_pytorch_s_layers_are_these(name, rng):
    """The compared networks do the same work: with the same weights, their outputs are equal."""
    import torch
    from torch_networks import TorchNetwork

    spec = SPECS[name]
    size, classes = (32, 10) if spec.stem == "cifar" else (64, 1000)
    network = keras_resnet.build(spec, input_shape=(size, size, 3), classifier_activation=None)
    randomize(network, rng)
    peer = TorchNetwork(spec, classes).eval()
    state = {torchvision_key(key): torch.tensor(torch_layout(array)) for key, array in named_arrays(network).items()}
    missing, unexpected = peer.load_state_dict(state, strict=False)
    assert all(key.endswith("num_batches_tracked") for key in missing)
    assert not unexpected
    images = rng.normal(size=(2, size, size, 3)).astype(np.float32)
    with torch.no_grad():
        expected = peer(torch.tensor(images.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(network(images), expected, atol=1e-4 * np.abs(expected).max())


def test_scaling_model_prints_its_table_and_plot(tmp_path):
    completed = run("tools/scaling.py", "--batches", "32", "--plot", tmp_path / "scaling.png")
    assert completed.returncode == 0, completed.stderr
    rows = [line.split("|") for line in completed.stdout.splitlines() if line.startswith("| 1")]
    # 32 images x 6 x 3.858e9 operations at a fifth of 312e12 a second
    assert rows[0][4].strip() == f"{1e3 * 32 * 6 * 3.858e9 / (312e12 / 5):.1f} ms"
    efficiencies = [int(row[3].strip(" %")) for row in rows]
    assert efficiencies == sorted(efficiencies, reverse=True)
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


@pytest.mark.parametrize("heads", [["c4"], pytest.param(["c4", "fpn"], marks=pytest.mark.slow)])
def test_detection_benchmark_prints_shares_and_ratios(heads, shallow):
    """A narrow network, because a head of full width at 300 regions takes long."""
    arguments = ["--model", "ResNet18", "--height", "64", "--width", "64", "--classes", "3", "--rounds", "1"]
    arguments += ["--head", *heads]
    completed = run(shallow, ROOT / "tools" / "benchmark.py", "detect", *arguments)
    assert completed.returncode == 0, completed.stderr
    rows = dict(line.strip("| ").split(" | ", 1) for line in completed.stdout.splitlines() if line.startswith("| "))
    shares = ("training step", "RoI align, forward and backward", "proposals with suppression, and RoI align")
    assert all(rows[name].endswith(" %") for name in shares)
    assert float(rows["ratio"]) > 0
    assert any(name.endswith("MiB") for name in rows) == (heads == ["c4"])
    assert ("fpn" in rows) == ("fpn" in heads)
