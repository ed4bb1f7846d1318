"""Two replicas learn what one device does: the same photos, samples, gradients and weights."""

from pathlib import Path

import numpy as np
import pytest
from programs import run

pytestmark = pytest.mark.long


@pytest.mark.parametrize(
    "network", ["detector", "rcnn", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pyramid", "rpn"))]
)
def test_two_devices_equal_one(network, rectangles, classifier, tmp_path):
    classifier.save(tmp_path / "classifier.keras")
    results = {}
    for mode in ("one", "mirrored"):
        script = Path(__file__).with_name("train_on_devices.py")
        done = run(script, network, mode, tmp_path / "classifier.keras", rectangles, tmp_path / f"{mode}.npz")
        assert done.returncode == 0, done.stderr[-3000:]
        results[mode] = dict(np.load(tmp_path / f"{mode}.npz"))
    largest = 0.0
    for name, value in results["one"].items():
        np.testing.assert_allclose(results["mirrored"][name], value, rtol=1e-3, atol=1e-4, err_msg=name)
        largest = max(largest, float(np.abs(results["mirrored"][name] - value).max())) if "weight" in name else largest
    print(f"largest difference of a weight after 6 steps: {largest:.1e}")
