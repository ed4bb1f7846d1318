"""If ``make`` cannot install, it says so in one sentence before it installs anything."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize(
    ("module", "content", "words"),
    [
        ("sitecustomize", "import sys; sys.version_info = (3, 10, 4)", "Python 3.11, 3.12 or 3.13 is needed"),
        ("sitecustomize", "import sys; sys.version_info = (3, 14, 0)", "for which TensorFlow 2.21 has wheels"),
        ("ensurepip", "raise ImportError", "This Python has no venv module: install it"),
    ],
)
def test_what_is_missing_is_said(module, content, words, tmp_path):
    """This Python, but with another version number or without ``ensurepip``, as Debian's without python3-venv."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    (tmp_path / f"{module}.py").write_text(content)
    python = f"env PYTHONPATH={tmp_path} {sys.executable}"
    command = ["make", "--no-print-directory", "test", f"PYTHON={python}"]  # as a make within make prints directories
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    completed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert completed.returncode == 2
    (sentence,) = completed.stdout.splitlines()
    assert words in sentence
    assert not (tmp_path / ".venv").exists()
