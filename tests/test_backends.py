"""Networks on other backends: outputs and one training step as on TensorFlow."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

import keras_resnet
from keras_resnet.training import SGD

FAST_COMPILATION = "--xla_backend_optimization_level=1"  # JAX compiles each network for longer than it runs it


def train_elsewhere(backend, tmp_path, rng):
    """Train one step of several networks on another backend and compare outputs and weights with TensorFlow's."""
    x, y = rng.normal(size=(8, 64, 64, 3)).astype("float32"), rng.integers(0, 10, 8)
    shape = {"input_shape": [None, None, 3]}
    changes = {
        "ResNet20": [
            shape,
            {**shape, "unroll": False},
            {**shape, "placement": "full_preactivation", "shortcut": "B"},
            {**shape, "remat": True},
        ],
        "ResNet18": [{"classes": 10, "width": 0.25, "input_shape": [None, None, 3], "block": "bottleneck"}],
    }
    jobs = [(name, change) for name, many in changes.items() for change in many]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    np.savez(tmp_path / "batch.npz", x=x, y=y)
    expected = []
    for i, (name, change) in enumerate(jobs):
        model = getattr(keras_resnet, name)(**change)
        before = keras_resnet.weights.named_arrays(model)
        np.savez(tmp_path / f"before{i}.npz", **before)
        outputs = model.predict(x, verbose=0)
        model.compile(SGD(0.01), "sparse_categorical_crossentropy", jit_compile=False)
        model.train_on_batch(x, y)
        expected.append((outputs, before, keras_resnet.weights.named_arrays(model)))
    subprocess.run(
        [sys.executable, str(ROOT / "tests" / "train_a_step.py"), str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend, "XLA_FLAGS": FAST_COMPILATION},
        check=True,
    )
    for i, (outputs, before, after) in enumerate(expected):
        there = np.load(tmp_path / f"after{i}.npz")
        np.testing.assert_allclose(there["outputs"], outputs, atol=1e-4, err_msg=str(jobs[i]))
        for key, value in after.items():
            change, difference = np.linalg.norm(value - before[key]), np.linalg.norm(there[key] - value)
            assert difference <= 0.01 * change + 1e-6, f"{jobs[i]} {key}: {difference} of {change}"


@pytest.mark.slow
def test_networks_train_a_step_on_jax_as_on_tensorflow(tmp_path, rng):
    train_elsewhere("jax", tmp_path, rng)


@pytest.mark.peers
def test_networks_train_a_step_on_pytorch_as_on_tensorflow(tmp_path, rng):
    pytest.importorskip("torch")
    train_elsewhere("torch", tmp_path, rng)
