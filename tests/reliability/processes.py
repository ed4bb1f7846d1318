"""Programs in processes of their own that faults strike while they run, for cases that need more than one process."""

import contextlib
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hostile_run_parts import ROOT
from hostile_workdirs import program
from watching import StateChanged

sys.path.insert(0, str(ROOT / "tools"))  # as for a tool that is started, whose files import each other

LONGEST = 900  # seconds by the clock that a program may take on a busy machine
FAILED = "a program failed without one sentence"


@dataclass
class Process:
    """``python PROGRAM ARGUMENTS...`` in a fork of this process, which must not have run a TensorFlow operation yet.

    Fields:
        words: the program's file below the project's root, and its arguments.
        log: the file for what it prints.
        environment: variables that differ from those here.
        before: called in the fork before the program, such as to set its limits.
    """

    words: Sequence[object]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    status: int | None = None

    def __post_init__(self):
        sys.stdout.flush()
        reader, writer = os.pipe()  # what it prints is no file of its own, whose size could be limited
        self.pid = os.fork()
        if self.pid:
            os.close(writer)
            self.listener = threading.Thread(target=_copy, args=(reader, self.log), daemon=True)
            self.listener.start()
            return
        try:
            os.close(reader)
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            os.close(writer)
            os.environ.update(self.environment)
            self.before()
            program(*map(str, self.words))
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        os._exit(status)

    def poll(self) -> int | None:
        """The exit status, a signal's number below zero; None while it runs."""
        if self.status is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if ended else None
        return self.status

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def ended(self, seconds: float = LONGEST) -> int:
        """Wait for the end; a program that takes longer is killed, and breaks the promise."""
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                self.kill()
                raise StateChanged(f"{self.words[0]} was still running after {seconds} s: {self.said()[-500:]}")
            time.sleep(0.02)
        self.listener.join(10)
        return self.status

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def until(self, true: Callable[[], bool]) -> bool:
        """Wait until something is true; False if the process ends before."""
        while not true():
            if self.poll() is not None:
                return False
            time.sleep(0.005)
        return True


def workers(words: Sequence[object], folder: Path, count: int = 2, before: dict[int, Callable] | None = None):
    """The processes of ``count`` workers of one run, as tools/launch_local.py starts them."""
    from launch_local import free_ports

    addresses = [f"localhost:{port}" for port in free_ports(count)]
    configurations = [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
        for number in range(count)
    ]
    return [
        Process(words, folder / f"log{number}", {"TF_CONFIG": configuration}, (before or {}).get(number, lambda: None))
        for number, configuration in enumerate(configurations)
    ]


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond ``size`` bytes: writing then fails as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def served(process: Process) -> None:
    """Wait for a program that must end well."""
    if process.ended():
        raise StateChanged(f"{process.words[0]} ended with {process.status}: {process.said()[-1500:]}")


def refused(process: Process, *words: str) -> None:
    """Wait for a program that must end with status 2 and one sentence with these words."""
    status, said = process.ended(), process.said()
    last = (said.strip().splitlines() or [""])[-1]
    if status != 2 or "Traceback" in said or not all(word in last for word in words):
        raise StateChanged(f"{FAILED}, with {status}: {said[-1500:]}")


def effect(happened: bool, what: str) -> None:
    """A fault that has no effect proves nothing."""
    if not happened:
        raise RuntimeError(f"the fault had no effect: {what}")


def _copy(reader: int, path: Path) -> None:
    """Copy what comes out of a pipe into a file until nobody writes any more."""
    with open(reader, "rb", buffering=0) as source, path.open("wb", buffering=0) as target:
        while content := source.read(65_536):
            target.write(content)


@contextlib.contextmanager
def all_ended(processes: Sequence[Process]):
    """Kill on leaving what still runs."""
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
