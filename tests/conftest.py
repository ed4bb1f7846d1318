"""Fixtures and helpers that several tests share.

Keras is imported where it is used: the process that hands tests out to workers needs none, and imports take seconds.
"""

import gc
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # here and in the processes that tests start: on any machine the
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")  # same sums, and workers that do not slow each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy's, which wait for each other in loops on busy processors
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # bounds are those of processors, and devices are made of them

import graph_optimization
import numpy as np
import pytest
import xdist
from PIL import Image

import keras_resnet  # noqa: F401  before TensorFlow, whose faster kernels it turns on, as in programs

bfloat16_kernels = pytest.mark.skipif(
    os.environ.get("ONEDNN_MAX_CPU_ISA", "").startswith(("SSE", "AVX2")),
    reason="oneDNN, told to be on a lesser processor, has no bfloat16 kernels, for which TensorFlow asks the real one",
)
xla_too = pytest.mark.parametrize(  # only make slow waits for XLA, which compiles a network in seconds
    "xla", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["plain", "xla"]
)
pytest_plugins = ["detection_sets"]
ROOT = Path(__file__).parents[1]
REAL_DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep scans and the demo set of the tests in a separate folder, which all of xdist's workers share."""
    previous = os.environ.get("XDG_CACHE_HOME")
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    yield
    if previous is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = previous


def pytest_sessionstart(session):
    if not xdist.is_xdist_controller(session):
        graph_optimization.leave_out(pipelines_alone=True)


def pytest_collection_finish():
    gc.freeze()  # a full collection need not visit what the libraries hold: 3 % of the time of a training test
    gc.set_threshold(50_000, 20, 20)  # and collections need not be as frequent as in a process that lives for long


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=0, help="of all that tests draw; another one must pass as well")


@pytest.fixture(scope="session")
def seed(pytestconfig):
    return pytestconfig.getoption("seed")


@pytest.fixture(autouse=True)
def seeded(seed):
    """Every test starts from the same random state and float32."""
    import keras

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def real_data():
    """A function from a name to its path among the real data; skips the test if it is missing."""

    def path(name: str) -> Path:
        real = REAL_DATA / name
        if not real.exists():
            pytest.skip(f"needs the real data {real}")
        return real

    return path


@pytest.fixture
def photo_folder(tmp_path):
    """A data set of two classes, 12 training and 4 validation JPEGs of 48 x 40 pixels."""
    return write_photos(tmp_path)


def write_photos(parent):
    """Write the photo folder into ``parent`` and return it."""
    rng = np.random.default_rng(1)
    for split, count in (("train", 6), ("val", 2)):
        for label, name in enumerate(("cat", "dog")):
            folder = parent / "photos" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 128, (40, 48, 3)) + 127 * label
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.JPEG")
    return parent / "photos"


def randomize(model, rng, keep=()):
    """Give every weight of ``model`` random values, normalization too, so that zeros and ones hide no errors."""
    for variable in model.weights:
        name = variable.path.split("/")[-1]
        if any(name.endswith(kept) for kept in keep):
            continue
        if "variance" in name or "gamma" in name:
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif "kernel" not in name:
            variable.assign(rng.normal(0, 0.2, variable.shape))


def compile_to_train(model, optimizer, loss, jit_compile=False):
    """``model.compile`` with the optimizer's variables, because a step that makes them is traced twice."""
    model.compile(optimizer, loss, jit_compile=jit_compile)
    optimizer.build(model.trainable_variables)
