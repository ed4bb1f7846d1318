"""Cached values belong to the code that made them, the least recently used go first, and a failing cache recomputes."""

import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT

from keras_resnet.data import Split, cache, mean_image
from keras_resnet.errors import InputError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keras_resnet"


def module(tmp_path, source):
    """A module with this source code."""
    import importlib.util

    path = tmp_path / f"maker{len(list(tmp_path.glob('maker*.py')))}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    created = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = created
    spec.loader.exec_module(created)
    return created


def test_changed_code_computes_again(tmp_path):
    """Both for a changed function and for a changed module; unchanged ones do not."""
    old = module(tmp_path, "def make():\n    return 1\n")
    new = module(tmp_path, "def make():\n    return 2\n")
    same = module(tmp_path, "def make():\n    return 1\n")
    for part in (lambda m: m, lambda m: m.make):
        key = f"statistics/{type(part(old)).__name__}"
        values = [cache.cached(key, lambda m=m: np.array(m.make()), part(m)) for m in (old, new)]
        assert values == [1, 2]
        assert cache.cached(key, lambda: pytest.fail("cached already"), part(same)) == 1


def test_other_versions_of_the_libraries_compute_again(monkeypatch):
    cache.cached("scores/a", lambda: np.zeros(2), cache)
    monkeypatch.setattr(cache.metadata, "version", lambda library: "99.0")
    assert cache.cached("scores/a", lambda: np.ones(2), cache).sum() == 2


def test_the_least_recently_used_is_evicted_first(folder, monkeypatch):
    monkeypatch.setattr(cache, "MAX_BYTES", 3500)
    for age, name in enumerate("abc"):
        cache.cached(f"scores/{name}", lambda: np.zeros(100), cache)  # 928 bytes
        (path,) = (folder / "scores").glob(f"{name}-*")
        os.utime(path, (1000 + age, 1000 + age))
    cache.cached("scores/a", lambda: pytest.fail("cached already"), cache)  # used now
    cache.cached("statistics/d", lambda: np.zeros(100), cache)
    assert sorted(path.name[0] for path in folder.glob("*/*")) == ["a", "c", "d"]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_damaged_file_only_costs_time(folder, content):
    cache.cached("scores/a", lambda: np.zeros(2), cache)
    (path,) = folder.glob("scores/*")
    path.write_bytes(content)
    for _ in range(2):
        assert cache.cached("scores/a", lambda: np.ones(2), cache).sum() == 2


def test_a_folder_that_cannot_be_written_only_costs_time(folder):
    folder.write_text("a file")
    assert cache.cached("scores/a", lambda: np.ones(2), cache).sum() == 2


@pytest.mark.long
def test_several_processes_store_and_evict_at_the_same_time(tmp_path):
    """Four processes write, read and evict the same twenty values, and each gets the right ones."""
    script = (
        "import numpy as np\n"
        "from keras_resnet.data import cache\n"
        "cache.MAX_BYTES = 5000\n"
        "for i in range(200):\n"
        "    assert cache.cached(f'scores/{i % 20}', lambda: np.full(100, i % 20), cache)[7] == i % 20\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert sum(path.stat().st_size for path in (tmp_path / "keras_resnet").glob("*/*")) <= 5000


@pytest.mark.long
def test_splits_without_a_fingerprint_share_nothing():
    import tensorflow as tf

    def split(value):
        encoded = tf.io.encode_png(tf.fill([8, 8, 3], tf.constant(value, tf.uint8)))
        return Split("grey", 1, lambda position: (encoded, tf.constant(0)))

    assert [mean_image(split(value), 4)[0, 0, 0] for value in (10, 90)] == [10, 90]


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    """A user number that the system does not know, as containers have it."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(InputError, match="set XDG_CACHE_HOME to a folder"):
        cache.cache_folder()
