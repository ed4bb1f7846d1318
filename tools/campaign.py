"""Run a list of commands one after another in the background, and continue where it stopped.

    python tools/campaign.py queue.txt --results docs/results         run the remaining commands
    python tools/campaign.py queue.txt --commit HEAD --cores 0 1      from a clone of that commit, on these cores
    python tools/campaign.py queue.txt --show                         show what is done, running, failed and left

Each line of queue.txt is NAME: COMMAND, such as ``resnet20: python recipes/cifar10.py --workdir runs/resnet20``; lines
that begin with # are skipped. Commands run at the lowest priority. SIGTERM and Ctrl-C are passed to the running
command, which saves a checkpoint; the same call continues it. The result.json that a command writes to its --workdir or
--out is copied to --results as NAME.json; those of commands that were done before are copied too if they are not in it.
Logs, times and locks are in queue.txt.d beside the list, so that several machines that share it take different entries.
A command goes on if this program is killed, and its entry counts as running until it ends.
"""

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from keras_resnet.bounds import Between
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.data.reading import read_text
from keras_resnet.errors import InputError
from keras_resnet.files import object_or_none, part_of, write_json, write_whole
from keras_resnet.programs import HOME, INSTALLED, checkout

FOLDER = Path.cwd() if INSTALLED else HOME
STOPPED = (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM, -signal.SIGINT)


@dataclass(frozen=True)
class Campaign:
    """The list, and where its commands run."""

    queue: tyro.conf.Positional[Path]
    """The file that lists the commands."""
    results: Folder | None = None
    """Folder to which each finished result.json is copied, as NAME.json."""
    commit: str | None = None
    """Run from a clone of this repository at that commit, made beside the list; default: from this checkout, or from
    the current folder if the package is installed."""
    cores: tuple[Annotated[int, Between(0, 100_000)], ...] | None = None
    """Processor cores to run on; default: all."""
    show: bool = False
    """Only show what is done, running, failed and left."""

    def run(self) -> None:
        entries, state = read_queue(self.queue), self.queue.with_name(f"{self.queue.name}.d")
        if self.show:
            print("\n".join(status_line(state, name, words) for name, words in entries.items()))
            return
        for name, words in entries.items():
            if done_otherwise(state, name, words):
                before = read_state(state, name)["command"]
                raise InputError(
                    f"{name} of {self.queue} is done with another command ({before!s:.200}): "
                    f"give this command another name, or remove {state / name}.json to run it again."
                )
        state.mkdir(exist_ok=True)
        if self.cores:
            os.sched_setaffinity(0, self.cores)
        folder = clone(self.commit, state) if self.commit else FOLDER
        for name, words in entries.items():
            with open(state / f"{name}.lock", "w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:  # another process has taken it
                    continue
                if read_state(state, name).get("status") != 0:
                    self._run_entry(name, words, folder, state, lock.fileno())
                elif self.results and not (self.results / f"{name}.json").exists():
                    self._copy_result(name, words, folder)

    def _run_entry(self, name: str, words: list[str], folder: Path, state: Path, lock: int) -> None:
        """Run a command, which holds the ``lock`` of its entry too: it may outlive this process."""
        before, start = read_state(state, name).get("seconds", 0.0), time.monotonic()
        with open(state / f"{name}.log", "a") as log:
            command = [sys.executable if word == "python" else word for word in words]
            search = (
                f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"  # for keras-resnet
            )
            environment = os.environ | {"PYTHONPATH": str(folder), "PATH": search}
            nice = ["nice", "-n", "19", *command]
            child = subprocess.Popen(
                nice, cwd=folder, stdout=log, stderr=log, env=environment, start_new_session=True, pass_fds=(lock,)
            )
            give_way(child.pid)
            status, stop = wait(child)
        content = {"status": status, "seconds": before + time.monotonic() - start, "command": shlex.join(words)}
        write_json(state / f"{name}.json", content, indent=None)
        print(status_line(state, name, words, ended=True), flush=True)
        if status == 0:
            self._copy_result(name, words, folder)
        if stop or status in STOPPED:
            sys.exit(128 + (stop or abs(status) % 128))

    def _copy_result(self, name: str, words: list[str], folder: Path) -> None:
        result = result_file(words, folder)
        if self.results and result:
            self.results.mkdir(parents=True, exist_ok=True)
            write_whole(self.results / f"{name}.json", lambda part: shutil.copyfile(result, part))


def read_queue(path: Path) -> dict[str, list[str]]:
    """The commands of a list by name, split into words; raises :class:`InputError` for a line without a command."""
    if not path.is_file():
        raise InputError(f"There is no list {path}: give a file with one line NAME: COMMAND for each command.")
    entries: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name, colon, command = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or not name.strip().replace("-", "").replace("_", "").isalnum() or not command.strip():
            raise InputError(f"Line {number} of {path} is not NAME: COMMAND, with a name of letters, digits, - and _.")
        if name.strip() in entries:
            raise InputError(f"Line {number} of {path} uses the name {name.strip()} again: give each command its own.")
        try:
            entries[name.strip()] = shlex.split(command)
        except ValueError as error:
            raise InputError(f"Line {number} of {path} is no command ({error}): correct its quotes.") from error
    return entries


def clone(commit: str, state: Path) -> Path:
    """A clone of this repository at ``commit``, in the folder ``state``; made only once, whole or not at all."""
    root = str(checkout("--commit"))
    done = subprocess.run(["git", "-C", root, "rev-parse", "--short", commit], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"There is no commit {commit} in {root}.")
    folder = state / f"clone-{done.stdout.strip()}"
    part = part_of(folder)
    if not folder.exists():
        try:
            subprocess.run(["git", "clone", "--quiet", root, str(part)], check=True)
            subprocess.run(["git", "-C", str(part), "checkout", "--quiet", done.stdout.strip()], check=True)
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another process was first
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder.resolve()


def give_way(process: int) -> None:
    """Give priority to all other processes of the machine: Linux weighs sessions first, and nice only within one."""
    with contextlib.suppress(OSError):  # another system
        Path(f"/proc/{process}/autogroup").write_text("19")


def wait(child: subprocess.Popen) -> tuple[int, int | None]:
    """The exit status of ``child``, and SIGTERM or SIGINT if that came; it is passed on to its process group."""
    received: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        received.append(number)
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(child.pid, number)

    handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        return child.wait(), received[0] if received else None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def read_state(state: Path, name: str) -> dict:
    """Status, seconds and command of an entry; empty before it has ended for the first time."""
    return object_or_none(state / f"{name}.json") or {}


def done_otherwise(state: Path, name: str, words: list[str]) -> bool:
    """Whether the entry is done with another command than ``words``."""
    last, command = read_state(state, name), shlex.join(words)
    return last.get("status") == 0 and last.get("command", command) != command


def status_line(state: Path, name: str, command: list[str], ended: bool = False) -> str:
    """The name of an entry, its status, and the hours it took; ``ended`` if this process still holds its lock."""
    last = read_state(state, name)
    status = last.get("status")
    words = "left" if status is None else "done" if status == 0 else "stopped" if status in STOPPED else "failed"
    if done_otherwise(state, name, command):
        words = "done with another command"
    if not ended and _is_locked(state / f"{name}.lock"):
        words = "running"
    log = f", see {state / name}.log" if words == "failed" else ""
    return f"{name}: {words}, {last.get('seconds', 0) / 3600:.2f} h{log}"


def _is_locked(path: Path) -> bool:
    try:
        with open(path) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def result_file(words: list[str], folder: Path) -> Path | None:
    """The ``result.json`` that a command has written; None if it names no folder or has written none."""
    apart = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag in ("--workdir", "--out"):
        if flag in apart[:-1]:
            path = folder / apart[apart.index(flag) + 1] / "result.json"
            return path if path.is_file() else None
    return None


if __name__ == "__main__":
    run_tool(Campaign, __doc__)
