"""The benchmark tool runs and prints its table; its numbers are not asserted."""

import json

import pytest
from conftest import ROOT
from programs import run

pytestmark = pytest.mark.long


def test_input_benchmark_prints_a_table(photo_folder):
    small = ("--rounds", "1", "--seconds", "0.2", "--image-size", "32", "--batch-size", "8")
    done = run("tools/benchmark.py", "input", "--data", photo_folder / "train", *small)
    assert done.returncode == 0, done.stderr
    assert "| crop first |" in done.stdout
    assert "| decode, resize, crop |" in done.stdout


def test_files_benchmark_opens_what_it_wrote_twice(tmp_path):
    done = run("tools/benchmark.py", "files", "--files", "40", "--classes", "2", "--json", tmp_path / "files.json")
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "files.json").read_text())["tables"]["files"]
    assert [row[0] for row in table["rows"]] == ["first start", "second start"]
    assert table["columns"][0] == "40 photos in 2 classes"


def test_fit_benchmark_compares_strategies_and_counts_checkpoints():
    done = run("tools/benchmark.py", "fit", "--rounds", "1", "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert "| MirroredStrategy, one replica |" in done.stdout
    assert "with one every 200 steps" in done.stdout


def test_scaling_model_prints_its_table_and_plot(tmp_path):
    done = run("tools/scaling.py", "--batches", "32", "--plot", tmp_path / "scaling.png")
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| 1")]
    # 32 images x 6 x 3.858e9 operations at a fifth of 312e12 a second
    assert rows[0][4].strip() == f"{1e3 * 32 * 6 * 3.858e9 / (312e12 / 5):.1f} ms"
    efficiencies = [int(row[3].strip(" %")) for row in rows]
    assert efficiencies == sorted(efficiencies, reverse=True)
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


NARROW = """
import dataclasses, os, runpy, sys
import keras_resnet
build = keras_resnet.build
keras_resnet.build = lambda spec, **how: build(dataclasses.replace(spec, width=0.125), **how)
del sys.argv[0]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_detection_benchmark_prints_shares_and_ratios(tmp_path):
    """Of a narrow network, since a head of full width at 300 regions is much work."""
    (tmp_path / "narrow.py").write_text(NARROW)
    arguments = ["--model", "ResNet18", "--height", "64", "--width", "64", "--classes", "3", "--rounds", "1"]
    done = run(tmp_path / "narrow.py", ROOT / "tools" / "benchmark.py", "detect", *arguments)
    assert done.returncode == 0, done.stderr
    rows = dict(line.strip("| ").split(" | ", 1) for line in done.stdout.splitlines() if line.startswith("| "))
    shares = ("training step", "RoI align, forward and backward", "proposals with suppression, and RoI align")
    assert all(rows[name].endswith(" %") for name in shares)
    assert float(rows["ratio"]) > 0
    assert any(name.endswith("MiB") for name in rows)
