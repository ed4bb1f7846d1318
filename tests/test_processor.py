"""Which kernels TensorFlow is given, and what is said where they are slow."""

import os
import subprocess
import sys

import pytest

from keras_resnet import processor

ENABLED = "from tensorflow.python.util import _pywrap_util_port as port; print(port.IsMklEnabled())"


def run(code, **variables):
    """What a new process prints to its standard output and its standard error."""
    environment = {k: v for k, v in os.environ.items() if k != processor.ONEDNN} | variables
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.mark.skipif("AVX2" not in processor.instruction_sets(), reason="needs an x86 processor with AVX2")
@pytest.mark.long
def test_onednn_is_on_and_a_user_s_own_setting_wins():
    code = f"import keras_resnet, tensorflow; {ENABLED}"
    assert run(code)[0] == ["True"]
    assert run(code, TF_ENABLE_ONEDNN_OPTS="0")[0] == ["False"]


@pytest.mark.skipif("AVX2" not in processor.instruction_sets(), reason="needs an x86 processor with AVX2")
@pytest.mark.long
def test_what_it_costs_is_said_once_where_tensorflow_came_first_and_left_it_off():
    """As on a processor with AVX2 alone: off, and by nobody's wish."""
    off = "import os, tensorflow; del os.environ['TF_ENABLE_ONEDNN_OPTS']; import keras_resnet, keras_resnet.models"
    assert run(off, TF_ENABLE_ONEDNN_OPTS="0")[1].count(processor.LEFT_OFF) == 1
    assert processor.LEFT_OFF not in run("import tensorflow, keras_resnet", TF_ENABLE_ONEDNN_OPTS="0")[1]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2", ["AVX2"]), ("avx2 avx512f avx512_vnni", ["AVX2", "AVX-512", "AVX-512 VNNI"]), ("sse2", []), ("", [])],
)
def test_instruction_sets_are_read_from_whole_words(monkeypatch, flags, expected):
    monkeypatch.setattr(processor, "_cpuinfo", lambda key: flags)
    assert processor.instruction_sets() == expected


@pytest.mark.parametrize(
    ("flags", "precision", "advised"),
    [
        ("avx2", "mixed_bfloat16", True),
        ("avx2 avx512f", "mixed_bfloat16", True),
        ("avx2 avx512f avx512_bf16", "mixed_bfloat16", False),
        ("avx2 avx512f amx_bf16", "mixed_bfloat16", False),
        ("avx2", "float32", False),
        ("", "mixed_bfloat16", False),  # a system that does not tell
    ],
)
def test_bfloat16_is_advised_against_where_there_is_no_arithmetic_for_it(monkeypatch, flags, precision, advised):
    monkeypatch.setattr(processor, "_cpuinfo", lambda key: flags)
    assert (processor.advice_on(precision) is not None) == advised
