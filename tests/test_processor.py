"""oneDNN is turned on, and slow kernels are reported."""

import os
import subprocess
import sys

import pytest
from tensorflow.python.util import _pywrap_util_port

from keras_resnet import processor


def run(code, **variables):
    """What a new process prints to its standard output and its standard error."""
    environment = {k: v for k, v in os.environ.items() if k != processor.ONEDNN} | variables
    completed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.split(), completed.stderr


@pytest.mark.skipif("AVX2" not in processor.instruction_sets(), reason="needs an x86 processor with AVX2")
@pytest.mark.long
def test_onednn_is_on_and_a_user_s_own_setting_wins():
    """On in this process, in which the package came before TensorFlow, unless its environment says otherwise."""
    assert _pywrap_util_port.IsMklEnabled() == (os.environ[processor.ONEDNN] == "1")
    code = (
        "import keras_resnet; from tensorflow.python.util import _pywrap_util_port as port; print(port.IsMklEnabled())"
    )
    assert run(code, TF_ENABLE_ONEDNN_OPTS="0")[0] == ["False"]


@pytest.mark.skipif("AVX2" not in processor.instruction_sets(), reason="needs an x86 processor with AVX2")
@pytest.mark.long
def test_what_it_costs_is_said_once_where_tensorflow_came_first_and_left_it_off():
    """As on a processor with AVX2 but not AVX-512: off, though nobody asked for that; not where the user did."""
    code = """
import os, sys, tensorflow
child = os.fork()
if child:
    os.waitpid(child, 0)
    print("after the child", file=sys.stderr)
    del os.environ["TF_ENABLE_ONEDNN_OPTS"]
import keras_resnet, keras_resnet.models
"""
    asked, unasked = run(code, TF_ENABLE_ONEDNN_OPTS="0")[1].split("after the child")
    assert (asked.count(processor.LEFT_OFF), unasked.count(processor.LEFT_OFF)) == (0, 1)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2", ["AVX2"]), ("avx2 avx512f avx512_vnni", ["AVX2", "AVX-512", "AVX-512 VNNI"]), ("sse2", []), ("", [])],
)
def test_instruction_sets_are_read_from_whole_words(monkeypatch, flags, expected):
    monkeypatch.setattr(processor, "_cpuinfo", lambda key: flags)
    assert processor.instruction_sets() == expected


@pytest.mark.parametrize(
    ("flags", "vendor", "precision", "advised"),
    [
        ("avx2", "AuthenticAMD", "mixed_bfloat16", "has no bfloat16 arithmetic"),
        ("avx2 avx512f", "GenuineIntel", "mixed_bfloat16", "has no bfloat16 arithmetic"),
        ("avx2 avx512f avx512_bf16", "AuthenticAMD", "mixed_bfloat16", ""),
        ("avx2 avx512f avx512_bf16", "GenuineIntel", "mixed_bfloat16", "of AVX-512 only"),
        ("avx2 avx512f avx512_bf16 amx_bf16", "GenuineIntel", "mixed_bfloat16", ""),
        ("avx2", "GenuineIntel", "float32", ""),
        ("", "", "mixed_bfloat16", ""),  # a system that does not tell
    ],
)
def test_bfloat16_is_advised_against_where_it_is_slower(monkeypatch, flags, vendor, precision, advised):
    monkeypatch.setattr(processor, "_cpuinfo", {"flags": flags, "vendor_id": vendor}.get)
    advice = processor.advice_on(precision) or ""
    assert advised in advice
    assert bool(advice) == bool(advised)
