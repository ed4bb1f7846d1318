"""The benchmark tool runs and prints its table; its numbers are not asserted."""

import subprocess
import sys

from conftest import ROOT


def test_input_benchmark_prints_a_table(photo_folder):
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "benchmark.py", "input", "--data", photo_folder / "train", "--rounds", "1",
         "--seconds", "0.2", "--image-size", "32", "--batch-size", "8"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "| crop first |" in done.stdout
    assert "| decode, resize, crop |" in done.stdout
