"""TensorFlow's messages at import: those of lower levels are hidden, and all other output is printed."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from keras_resnet.messages import has_nvidia

MODULE = ROOT / "keras_resnet" / "messages.py"  # alone: the package would import TensorFlow
LINES = """
import os, runpy
at_log_level = runpy.run_path({module!r})["at_log_level"]
with at_log_level():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\\n")
    os.write(2, b"I0000 00:00:1 29175 port.cc:153] for your information\\n")
    os.write(2, b"W0000 00:00:1 29175 port.cc:153] a warning\\n")
    os.write(2, b"E0000 00:00:1 29175 port.cc:153] an error\\nIn other words\\n")
    {last}
os.write(2, b"after\\n")
"""


def errors_at(level, last="pass", folder=None):
    """What a process writes to its standard error at this level, started in ``folder``."""
    code = LINES.format(module=str(MODULE), last=last)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": level}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True).stderr


def test_the_level_decides():
    lines = {level: [line[0] for line in errors_at(level).splitlines()] for level in "0123"}
    assert lines == {"0": list("WIWEIa"), "1": list("WEIa"), "2": list("EIa"), "3": list("EIa")}


def test_files_in_the_users_folder_are_not_run(tmp_path):
    (tmp_path / "re.py").write_text("raise SystemExit('re.py of this folder was run')")
    assert [line[0] for line in errors_at("2", folder=tmp_path).splitlines()] == list("EIa")


def test_the_last_words_of_a_crash_are_heard():
    lines = errors_at("2", "os.write(2, b'F0000 00:00:1 no such instruction\\n'); os.abort()")
    assert lines.splitlines()[:3] == [
        "E0000 00:00:1 29175 port.cc:153] an error",
        "In other words",
        "F0000 00:00:1 no such instruction",
    ]


@pytest.mark.skipif(has_nvidia(), reason="TensorFlow may have something to say of the NVIDIA device")
@pytest.mark.parametrize(
    "command",
    [
        "info.py",
        pytest.param("table1.py", marks=pytest.mark.slow),
        "benchmark.py inference --help",
        "analyze.py cost --help",
    ],
)
@pytest.mark.long
def test_tools_say_nothing_of_tensorflow_s(command):
    """This includes programs that import TensorFlow themselves, and its search for GPUs on machines without any."""
    name, *arguments = command.split()
    completed = without_a_level([ROOT / "tools" / name, *arguments])
    assert (completed.returncode, completed.stderr) == (0, "")


def test_programs_lower_the_level_and_importing_the_package_does_not():
    code = """
import keras_resnet, os
from keras_resnet import training
from keras_resnet.command_line import attempt
level = lambda: print(os.environ.get("TF_CPP_MIN_LOG_LEVEL"))
level()
attempt(level, str)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
attempt(level, str)
"""
    assert without_a_level(["-c", code]).stdout.split() == ["None", "2", "0"]


def without_a_level(words):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)
