"""Networks on other backends give the same outputs and the same training step as on TensorFlow.

What else works there is in the table of docs/compatibility.md, which the last test makes.

In float64, where nothing but a difference of the arithmetic is left to see. In float32 a ReLU here and there falls to
its other side on another processor, or with other threads, and a gradient with it: a bound for that is a coin.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ROOT
from programs import run

import keras_resnet

pytestmark = pytest.mark.long

STORED = ROOT / "docs" / "results" / "backends.json"
FAST_COMPILATION = "--xla_backend_optimization_level=1"  # JAX compiles each network for longer than it runs it
SHAPE = {"input_shape": [None, None, 3]}
SMALL = {**SHAPE, "blocks": [3, 2], "filters": [16, 32]}  # with a loop of several blocks, and a shortcut of each kind
SMALLER = {**SHAPE, "blocks": [1, 1], "filters": [8, 16]}  # the first job, which alone is no slow test
JOBS = [
    ("ResNet20", SMALLER),
    ("ResNet20", SMALL),
    ("ResNet20", {**SMALL, "unroll": False}),
    ("ResNet18", {**SHAPE, "blocks": [1, 1, 1, 1], "classes": 10, "width": 0.25, "block": "bottleneck"}),
    ("ResNet20", {**SMALL, "placement": "full_preactivation", "shortcut": "B"}),
    ("ResNet20", {**SMALL, "remat": True}),
]


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """A function from backend, dtype and number of networks to the results of a step from the same weights."""
    folder, rng = tmp_path_factory.mktemp("backends"), np.random.default_rng(0)
    np.savez(folder / "batch.npz", x=rng.normal(size=(8, 32, 32, 3)), y=rng.integers(0, 10, 8))

    def begin(number):
        if not (folder / f"before{number}.npz").exists():
            name, changes = JOBS[number]
            model = getattr(keras_resnet, name)(**changes)
            np.savez(folder / f"before{number}.npz", **keras_resnet.weights.named_arrays(model))

    def train(backend, dtype="float64", count=None):
        count = count or len(JOBS)
        out = f"{backend}-{dtype}-"
        for number in range(count):
            begin(number)
        if not (folder / f"{out}{count - 1}.npz").exists():
            (folder / "jobs.json").write_text(json.dumps(JOBS[:count]))
            environment = {"KERAS_BACKEND": backend, "XLA_FLAGS": FAST_COMPILATION}
            environment["JAX_ENABLE_X64"] = str(int(dtype == "float64"))
            words = ("tests/backends/train_a_step.py", folder, dtype, out)
            if backend == keras.backend.backend():
                done = run(*words)
            else:  # in a new process, because here Keras has its backend
                command = [sys.executable, *map(str, words)]
                done = subprocess.run(
                    command, env=os.environ | environment, cwd=ROOT, stderr=subprocess.PIPE, text=True
                )
            assert done.returncode == 0, done.stderr
        return [
            (dict(np.load(folder / f"before{i}.npz")), dict(np.load(folder / f"{out}{i}.npz"))) for i in range(count)
        ]

    return train


def compare(others, references):
    """Outputs agree to 1e-9, and the change of each tensor in the step to a millionth of itself."""
    for job, (before, after), (_, expected) in zip(JOBS[: len(others)], others, references, strict=True):
        np.testing.assert_allclose(after.pop("outputs"), expected.pop("outputs"), rtol=1e-9, err_msg=str(job))
        assert after.keys() == expected.keys()
        worst = 0.0
        for key, value in expected.items():
            change, difference = np.linalg.norm(value - before[key]), np.linalg.norm(after[key] - value)
            worst = max(worst, difference / (change or 1))
            assert value.dtype == np.float64
            assert difference <= 1e-6 * change, f"{job} {key}: {difference} of {change}"
        print(job, "largest difference, as a share of the change:", worst)


@pytest.mark.parametrize("count", [1, pytest.param(len(JOBS), marks=pytest.mark.slow)])
def test_networks_train_a_step_on_jax_as_on_tensorflow(train, count):
    compare(train("jax", count=count), train("tensorflow", count=count))


@pytest.mark.peers
def test_networks_train_a_step_on_pytorch_as_on_tensorflow(train):
    pytest.importorskip("torch")
    compare(train("torch"), train("tensorflow"))


@pytest.mark.slow
def test_float32_on_jax_is_float64_to_its_rounding(train):
    """The type that users train in: outputs to float32's resolution times the depth, and a step that stays finite."""
    ((_, after),), (_, expected) = train("jax", "float32", 1), train("tensorflow", count=1)[0]
    assert after["outputs"].dtype == np.float32
    np.testing.assert_allclose(after["outputs"], expected["outputs"], atol=1e-4)
    assert all(np.isfinite(value).all() for value in after.values())


@pytest.mark.parametrize(
    "backends",
    [pytest.param(("jax",), marks=pytest.mark.slow), pytest.param(("jax", "torch"), marks=pytest.mark.peers)],
)
def test_the_stored_table_is_what_works_on_each_backend(backends, tmp_path):
    out = tmp_path / "backends.json"
    done = run("tests/backends/measure.py", "--backends", *backends, "--json", out)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    measured, stored = (json.loads(path.read_text())["tables"]["backends"] for path in (out, STORED))
    places = [stored["columns"].index(column) for column in measured["columns"]]
    assert measured["rows"] == [[row[place] for place in places] for row in stored["rows"]]
