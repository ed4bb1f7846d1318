"""A result names the processor with its instruction sets, and the variables that change speed or numbers."""

import re

from keras_resnet import processor
from keras_resnet.training import results


def test_the_processor_is_named_with_its_instruction_sets():
    words = results.hardware()
    assert re.search(r"\d+ cores? of \S+", words)
    assert all(name in words for name in processor.instruction_sets())


def test_only_variables_that_change_a_run_are_recorded(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_CONFIG", '{"cluster": "secret-host"}')
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    found = results.provenance()["environment"]
    assert found["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert found["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert not {"TF_CONFIG", "AWS_SECRET_ACCESS_KEY", "HOME", "PATH"} & found.keys()
