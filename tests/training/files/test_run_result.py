"""A result names the processor with its instruction sets, and the environment variables that affect a run."""

import os
import re
import subprocess

from keras_resnet import processor
from keras_resnet.training.files import run_result


def test_the_processor_is_named_with_its_instruction_sets():
    words = run_result.hardware()
    assert re.search(r"\d+ cores? of \S+", words)
    assert all(name in words for name in processor.instruction_sets())


def test_only_variables_that_change_a_run_are_recorded(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("TF_CONFIG", '{"cluster": "secret-host"}')
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    environment = run_result.provenance()["environment"]
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert not {"TF_CONFIG", "AWS_SECRET_ACCESS_KEY", "HOME", "PATH"} & environment.keys()


def test_the_commit_is_that_of_the_checkout_and_not_of_a_repository_around_an_installation(tmp_path, monkeypatch):
    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        done = subprocess.run(["git", "-C", tmp_path, *identity, *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "of somebody else")
    packages = tmp_path / "venv" / "site-packages"
    for root, expected in ((tmp_path, git("rev-parse", "HEAD")), (packages, "unknown")):
        folder = root / "keras_resnet" / "training" / "files"
        monkeypatch.setattr(run_result, "__file__", str(folder / "run_result.py"))
        folder.mkdir(parents=True)
        assert run_result.commit() == expected


def test_asking_for_the_commit_leaves_the_repository_alone(tmp_path, monkeypatch):
    """Without being told, git status writes the index anew; on a full disk it leaves a lock behind."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "file").write_text("a")
    subprocess.run(["git", "-C", tmp_path, "add", "file"], check=True)
    monkeypatch.setattr(run_result, "__file__", str(tmp_path / "keras_resnet" / "training" / "files" / "run_result.py"))
    subprocess.run(
        ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"], check=True
    )
    os.utime(tmp_path / "file", (1e9, 1e9))  # the index has another time for it
    before = (tmp_path / ".git" / "index").read_bytes()
    assert len(run_result.commit()) == 40
    assert (tmp_path / ".git" / "index").read_bytes() == before
