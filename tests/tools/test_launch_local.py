"""The launcher prints each worker's output, passes signals on, and ends with the status of the first failure."""

import json
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

WORKER = """
import json, os, signal, sys, time
number = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
print("ready", flush=True)
if sys.argv[1] == str(number):
    sys.exit(7)
if sys.argv[1] != "none":
    time.sleep(60)
print(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])
"""


IMPATIENT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import launch_local
launch_local.end.__defaults__ = (0.5,)
sys.exit(launch_local.main(sys.argv[1:]))
"""


@pytest.fixture
def launched(tmp_path):
    """A function that starts two workers, of which the one with the given number fails, if any."""
    (tmp_path / "worker.py").write_text(WORKER)

    def launch(failing):
        command = [sys.executable, "-c", IMPATIENT, ROOT / "tools", 2, tmp_path / "worker.py", failing]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return launch


def test_each_worker_has_its_number_and_all_addresses(launched):
    with launched("none") as process:
        output, _ = process.communicate()
    assert process.returncode == 0
    addresses = [line.split(" ", 1) for line in output.splitlines() if "localhost" in line]
    assert sorted(number for number, _ in addresses) == ["[0]", "[1]"]
    first, second = (json.loads(words.replace("'", '"')) for _, words in addresses)
    assert first == second
    assert len(set(first)) == 2


def test_a_signal_is_passed_on_to_all(launched):
    with launched("2") as process:
        assert sorted(process.stdout.readline() for _ in range(2)) == ["[0] ready\n", "[1] ready\n"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert "has ended: killed" not in process.stdout.read()


@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.long
def test_a_worker_that_waits_for_a_failed_one_is_killed(failing, launched):
    with launched(failing) as process:
        output, _ = process.communicate()
    assert process.returncode == 7
    assert f"[{1 - failing}] waits for a worker that has ended: killed" in output


def test_a_worker_whose_output_is_no_text_or_is_not_read_goes_on(tmp_path):
    """It prints more than a pipe holds."""
    (tmp_path / "loud.py").write_text("import os\nfor _ in range(20_000): os.write(1, b'caf\\xe9 bar\\n')\n")
    command = [sys.executable, str(ROOT / "tools" / "launch_local.py"), "1", str(tmp_path / "loud.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "[0] caf\\xe9 bar\n"
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [["0", "x.py"], ["257", "x.py"], ["2"], []])
def test_a_wrong_number_of_workers_is_refused(arguments):
    completed = subprocess.run(
        [sys.executable, ROOT / "tools" / "launch_local.py", *arguments], capture_output=True, text=True
    )
    assert completed.returncode == 2
    assert completed.stderr.startswith("launch_local.py: give a number of workers from 1 to 256")
