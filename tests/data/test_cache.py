"""What is kept answers for the code that made it, is evicted oldest used first, and fails into computing again."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from keras_resnet.data import Split, cache, mean_image


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keras_resnet"


def module(tmp_path, source):
    """A module of this source, as a checkout or an installation has it."""
    import importlib.util

    path = tmp_path / f"maker{len(list(tmp_path.glob('maker*.py')))}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


def test_other_code_is_not_answered_for(tmp_path):
    """A changed function, and a changed module, compute again; unchanged ones do not."""
    old = module(tmp_path, "def make():\n    return 1\n")
    new = module(tmp_path, "def make():\n    return 2\n")
    same = module(tmp_path, "def make():\n    return 1\n")
    for part in (lambda m: m, lambda m: m.make):
        key = f"statistics/{type(part(old)).__name__}"
        found = [cache.kept(key, lambda m=m: np.array(m.make()), part(m)) for m in (old, new)]
        assert found == [1, 2]
        assert cache.kept(key, lambda: pytest.fail("kept already"), part(same)) == 1


def test_other_libraries_are_not_answered_for(monkeypatch):
    cache.kept("scores/a", lambda: np.zeros(2), cache)
    monkeypatch.setattr(cache.metadata, "version", lambda library: "99.0")
    assert cache.kept("scores/a", lambda: np.ones(2), cache).sum() == 2


def test_what_was_used_longest_ago_goes_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "MOST_BYTES", 3500)
    for age, name in enumerate("abc"):
        cache.kept(f"scores/{name}", lambda: np.zeros(100), cache)  # 928 bytes
        (path,) = (folder / "scores").glob(f"{name}-*")
        os.utime(path, (1000 + age, 1000 + age))
    cache.kept("scores/a", lambda: pytest.fail("kept already"), cache)  # used now
    cache.kept("statistics/d", lambda: np.zeros(100), cache)
    assert sorted(path.name[0] for path in folder.glob("*/*")) == ["a", "c", "d"]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_damaged_file_only_costs_time(folder, content):
    cache.kept("scores/a", lambda: np.zeros(2), cache)
    (path,) = folder.glob("scores/*")
    path.write_bytes(content)
    for _ in range(2):
        assert cache.kept("scores/a", lambda: np.ones(2), cache).sum() == 2


def test_a_folder_that_cannot_be_written_only_costs_time(folder):
    folder.write_text("a file")
    assert cache.kept("scores/a", lambda: np.ones(2), cache).sum() == 2


def test_several_processes_keep_and_evict_at_once(tmp_path):
    """Four processes write, read and evict the same twenty values; each gets what it asked for."""
    script = (
        "import numpy as np\n"
        "from keras_resnet.data import cache\n"
        "cache.MOST_BYTES = 5000\n"
        "for i in range(200):\n"
        "    assert cache.kept(f'scores/{i % 20}', lambda: np.full(100, i % 20), cache)[7] == i % 20\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert sum(path.stat().st_size for path in (tmp_path / "keras_resnet").glob("*/*")) <= 5000


def test_splits_without_a_fingerprint_share_nothing():
    import tensorflow as tf

    def split(value):
        encoded = tf.io.encode_png(tf.fill([8, 8, 3], tf.constant(value, tf.uint8)))
        return Split("grey", 1, lambda position: (encoded, tf.constant(0)))

    assert [mean_image(split(value), 4)[0, 0, 0] for value in (10, 90)] == [10, 90]
