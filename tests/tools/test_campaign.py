"""A queue of commands runs in order, stops and continues, copies results, and is shared by several processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from programs import load_program

TOOL = [sys.executable, str(ROOT / "tools" / "campaign.py")]
WRITES = (
    "import pathlib, sys; p = pathlib.Path(sys.argv[2]); p.mkdir(exist_ok=True); (p / 'result.json').write_text('{}')"
)
# like a run of this package: SIGTERM saves and ends with 143; a second start continues and ends
STOPS = """
import pathlib, signal, sys, time
saved = pathlib.Path(sys.argv[1])
def stop(*_):
    saved.write_text("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("began", flush=True)
while not saved.exists():
    time.sleep(0.05)
"""


def campaign(*arguments):
    return subprocess.run([*TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120)


@pytest.fixture
def queue(tmp_path):
    """Two entries that write a result, with one between them that fails."""
    (tmp_path / "writes.py").write_text(WRITES)
    lines = ["# comment", ""]
    lines += [f"one: python {tmp_path}/writes.py --workdir {tmp_path}/one", "bad: python -c 'raise SystemExit(3)'"]
    lines += [f"two: python {tmp_path}/writes.py --workdir {tmp_path}/two"]
    path = tmp_path / "queue.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.long
def test_commands_run_in_order_and_results_are_copied(queue, tmp_path):
    completed = campaign(queue, "--results", tmp_path / "results")
    assert completed.returncode == 0, completed.stderr
    assert [line.split(",")[0] for line in completed.stdout.splitlines()] == ["one: done", "bad: failed", "two: done"]
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["one.json", "two.json"]
    again = campaign(queue)
    assert [line.split(",")[0] for line in again.stdout.splitlines()] == ["bad: failed"]  # only those not done
    shown = campaign(queue, "--show").stdout
    assert "bad: failed, 0.00 h, see" in shown
    assert "two: done" in shown


@pytest.mark.long
def test_results_of_entries_that_were_done_before_are_copied(queue, tmp_path):
    assert campaign(queue).returncode == 0
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "two.json").write_text('"kept"')
    completed = campaign(queue, "--results", tmp_path / "results")
    assert [line.split(",")[0] for line in completed.stdout.splitlines()] == ["bad: failed"]
    assert (tmp_path / "results" / "one.json").read_text() == "{}"
    assert (tmp_path / "results" / "two.json").read_text() == '"kept"'


@pytest.mark.long
def test_a_changed_command_does_not_count_as_done(tmp_path):
    """One that has failed may be corrected."""
    queue = tmp_path / "queue.txt"
    queue.write_text("one: python -c 'print(100)'\nbad: python -c 'raise SystemExit(3)'\n")
    campaign(queue)
    queue.write_text("one: python -c 'print(100)'\nbad: python -c 'print(1)'\n")
    assert campaign(queue).stdout.startswith("bad: done,")
    queue.write_text("new: python -c 'print(2)'\none: python -c 'print(64000)'\n")
    assert "one: done with another command, 0.00 h" in campaign(queue, "--show").stdout
    refused = campaign(queue)
    assert refused.returncode == 2
    expected = (
        f"is done with another command (python -c 'print(100)'): give this command another name, or remove {queue}.d"
    )
    assert expected in refused.stderr
    assert not (tmp_path / "queue.txt.d" / "new.log").exists()
    (tmp_path / "queue.txt.d" / "one.json").unlink()
    assert [line.split(",")[0] for line in campaign(queue).stdout.splitlines()] == ["new: done", "one: done"]


@pytest.mark.long
def test_a_stopped_queue_continues_and_other_processes_take_other_entries(tmp_path):
    (tmp_path / "stops.py").write_text(STOPS)
    queue = tmp_path / "queue.txt"
    queue.write_text(f"long: python {tmp_path}/stops.py {tmp_path}/saved\nshort: python -c 'print(1)'\n")
    state, log = tmp_path / "queue.txt.d", tmp_path / "queue.txt.d" / "long.log"
    with subprocess.Popen([*TOOL, str(queue)], stdout=subprocess.PIPE, text=True) as first:
        deadline = time.time() + 60
        while not (log.exists() and "began" in log.read_text()):
            assert time.time() < deadline
            time.sleep(0.05)
        assert "long: running" in campaign(queue, "--show").stdout
        assert campaign(queue).stdout.startswith("short: done")  # a second process leaves the entry of the first alone
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 143
    assert json.loads((state / "long.json").read_text())["status"] == 143
    assert "long: stopped" in campaign(queue, "--show").stdout
    assert campaign(queue).stdout.startswith("long: done")


@pytest.mark.long
@pytest.mark.parametrize(("status", "words"), [(1, "failed"), (0, "done")])
def test_a_stopped_queue_begins_nothing_more_however_the_command_ends(tmp_path, status, words):
    (tmp_path / "stops.py").write_text(STOPS.replace("143", str(status)))
    queue = tmp_path / "queue.txt"
    queue.write_text(f"first: python {tmp_path}/stops.py {tmp_path}/saved\nsecond: python -c 'print(1)'\n")
    log = tmp_path / "queue.txt.d" / "first.log"
    with subprocess.Popen([*TOOL, str(queue)], stdout=subprocess.PIPE, text=True) as program:
        deadline = time.time() + 60
        while not (log.exists() and "began" in log.read_text()):
            assert time.time() < deadline
            time.sleep(0.05)
        program.send_signal(signal.SIGTERM)
        assert program.wait(60) == 143
    shown = campaign(queue, "--show").stdout
    assert f"first: {words}" in shown
    assert "second: left" in shown


@pytest.mark.long
def test_a_command_whose_queue_was_killed_goes_on_and_is_not_begun_twice(tmp_path):
    (tmp_path / "stops.py").write_text(STOPS)
    queue, log = tmp_path / "queue.txt", tmp_path / "queue.txt.d" / "long.log"
    queue.write_text(f"long: python {tmp_path}/stops.py {tmp_path}/saved\n")
    with subprocess.Popen([*TOOL, str(queue)]) as program:
        deadline = time.time() + 60
        while not (log.exists() and "began" in log.read_text()):
            assert time.time() < deadline
            time.sleep(0.05)
        program.kill()
    assert "long: running" in campaign(queue, "--show").stdout
    assert campaign(queue).stdout == ""
    (tmp_path / "saved").touch()  # at which the command ends
    while "running" in campaign(queue, "--show").stdout:
        assert time.time() < deadline
    assert campaign(queue).stdout.startswith("long: done")
    assert log.read_text() == "began\nbegan\n"


@pytest.mark.long
def test_a_clone_that_was_killed_half_made_is_made_again(tmp_path):
    """The first git that checks out kills the queue instead."""
    git, queue = shutil.which("git"), tmp_path / "queue.txt"
    queue.write_text("which: git log -1 --format=%H\n")
    (tmp_path / "bin").mkdir()
    kills = tmp_path / "bin" / "git"
    kills.write_text(f'#!/bin/sh\ncase "$*" in *checkout*) kill -KILL $PPID; exit;; esac\nexec {git} "$@"\n')
    kills.chmod(0o755)
    command = [*TOOL, str(queue), "--commit", "HEAD~1"]
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert subprocess.run(command, env=os.environ | {"PATH": path}).returncode == -signal.SIGKILL
    assert subprocess.run(command).returncode == 0
    wanted = subprocess.run([git, "-C", str(ROOT), "rev-parse", "HEAD~1"], capture_output=True, text=True).stdout
    assert (tmp_path / "queue.txt.d" / "which.log").read_text() == wanted


def test_the_folder_of_a_result_may_follow_its_flag_in_one_word(tmp_path):
    result_file = load_program("tools/campaign.py").result_file
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").touch()
    for words in (["--workdir=run"], ["--workdir", "run", "--steps=3"], ["-x", "--out=run"]):
        assert result_file(["python", "a.py", *words], tmp_path) == tmp_path / "run" / "result.json"
    assert result_file(["python", "a.py", "--workdir=none"], tmp_path) is None
    assert result_file(["python", "a.py", "--steps=3"], tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"no colon here", "Line 1 of"),
        (b"a: x\na: y", "uses the name a again"),
        (b"a/b: x", "with a name of letters"),
        (b"a: x\nb: echo 'x", "is no command (No closing quotation): correct its quotes."),
        (b"a: echo caf\xe9", "is not UTF-8 text"),
    ],
)
def test_an_invalid_line_is_named(tmp_path, text, words):
    (tmp_path / "queue.txt").write_bytes(text)
    completed = campaign(tmp_path / "queue.txt")
    assert completed.returncode == 2
    assert words in completed.stderr.splitlines()[-1]


def test_a_missing_list_is_named(tmp_path):
    assert "There is no list" in campaign(tmp_path / "none.txt").stderr.splitlines()[-1]
