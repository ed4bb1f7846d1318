"""What a bug report needs is what is installed, and names nobody's home folder."""

import platform
from importlib import metadata
from pathlib import Path

import pytest
from programs import run

from keras_resnet import processor


@pytest.mark.long
def test_info_names_versions_devices_and_caches():
    done = run("tools/info.py")
    assert done.returncode == 0, done.stderr
    facts = dict(map(str.strip, line.split(":", 1)) for line in done.stdout.splitlines())
    assert facts["python"] == platform.python_version()
    assert facts["tensorflow"] == metadata.version("tensorflow")
    assert processor.name() in facts["hardware"]
    assert facts["Keras backend"] == "tensorflow"
    assert facts["oneDNN kernels"] == "on"
    assert "jax" in facts["backends installed"]
    assert "cache of keras_resnet" in facts
    assert str(Path.home()) not in done.stdout
