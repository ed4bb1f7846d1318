"""Hostile cases, each in its own process, whose time, memory and files are monitored."""

import contextlib
import ctypes
import hashlib
import io
import itertools
import os
import random
import stat
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from keras_resnet.errors import InputError

MAX_SECONDS = 10  # of processor time
MAX_WAIT = 60  # seconds by the clock
MAX_GIGABYTES = 2
CAPABILITIES = (0x20080522, 0)  # the header of Linux' call: its version, and this process
PASS_OVER, READ_AND_SEARCH = 1 << 1, 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
MAX_SENTENCE = 1000  # characters
OK, REFUSED, STATE_CHANGED = 0, 2, 3


class StateChanged(AssertionError):
    """Refused input changed something nevertheless."""


@dataclass(frozen=True)
class Case:
    """One hostile input and what a user does with it.

    Fields:
        name: what is wrong with it.
        prepare: writes files into the given folder, which is the current one.
        use: what the user does; may return, raise :class:`InputError` or end by ``SystemExit``. It raises
            :class:`StateChanged` if refused input changed something in memory.
        writes: patterns of paths below the folder that ``use`` may write or change.
        must: "refused" or "served", if only one of them is right.
        patience: seconds by the clock, on a machine that is busy with other work.
    """

    name: str
    prepare: Callable[[Path], None]
    use: Callable[[Path], None]
    writes: tuple[str, ...] = ()
    must: str | None = None
    patience: float = MAX_WAIT


def distinct(kinds: Sequence[Callable[..., Case]], draw: random.Random, count: int) -> list[Case]:
    """``count`` cases with different names, evenly from all kinds as long as they have more."""
    by_name: dict[str, Case] = {}
    misses = 0
    for kind in itertools.cycle(draw.sample(kinds, len(kinds))):
        case = kind(draw)
        misses = misses + 1 if case.name in by_name else 0
        by_name.setdefault(case.name, case)
        if len(by_name) >= count or misses > 10 * len(kinds):
            break
    return list(by_name.values())


@dataclass(frozen=True)
class Outcome:
    """How a case ended: "refused" with a sentence, "served", or what went wrong.

    Fields:
        kind: "refused", "served", "traceback", "hang", "memory", "files touched", "state changed",
            "not refused" or "not served".
        seconds: processor time.
        gigabytes: peak resident memory.
        output: the text that it printed.
    """

    case: Case
    kind: str
    seconds: float
    gigabytes: float
    output: str

    @property
    def kept(self) -> bool:
        """Whether it ended as promised."""
        return self.kind in ("refused", "served")


def obey_permissions() -> None:
    """Make file permissions apply to this process and its forks, even for root, which gives up its capabilities."""
    if os.geteuid() != 0:
        return
    libc, header, sets = (
        ctypes.CDLL(None, use_errno=True),
        (ctypes.c_uint32 * 2)(*CAPABILITIES),
        (ctypes.c_uint32 * 6)(),
    )
    libc.capget(header, sets)
    for number in range(3):  # effective, permitted and inheritable
        sets[number] &= ~(PASS_OVER | READ_AND_SEARCH)
    if libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "the capabilities of root cannot be given up")


def watch(case: Case) -> Outcome:
    """Run ``case`` in a fork of this process, which must not have run any TensorFlow operation yet."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as parent:
        folder, log, listing = Path(parent) / "here", Path(parent) / "log", Path(parent) / "listing"
        folder.mkdir()
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            _run(case, folder, log, listing)
        status, seconds, gigabytes, killed = _wait(child, case.patience)
        output = log.read_text(errors="replace") if log.exists() else ""
        kind = killed or _ending(case, status, output)
        before = dict(line.split("\t", 1) for line in listing.read_text().splitlines()) if listing.exists() else {}
        touched = _touched(case, before, listed(folder), refused=kind == "refused")
        if touched and kind in ("refused", "served"):
            kind, output = "files touched", f"{output}\nfiles touched: {touched}"
        for path in Path(parent).rglob("*"):  # the case may have closed folders
            with contextlib.suppress(OSError):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)
        return Outcome(case, kind, seconds, gigabytes, output)


def _run(case: Case, folder: Path, log: Path, listing: Path) -> None:
    """Everything that the child process does."""
    status = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), errors="backslashreplace", write_through=True)
        os.setpgid(0, 0)
        os.chdir(folder)
        case.prepare(folder)
        listing.write_text("".join(f"{name}\t{content}\n" for name, content in listed(folder).items()))
        case.use(folder)
        status = OK
    except InputError as error:
        print(f"case: {error}", file=sys.stderr)
        status = REFUSED
    except StateChanged:
        traceback.print_exc()
        status = STATE_CHANGED
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _wait(child: int, patience: float) -> tuple[int, float, float, str | None]:
    """Exit status, processor seconds, peak gigabytes, and the reason if it was killed."""
    start, killed, page = time.monotonic(), None, os.sysconf("SC_PAGESIZE")
    tick = os.sysconf("SC_CLK_TCK")
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
        with contextlib.suppress(OSError, IndexError):
            resident = int(Path(f"/proc/{child}/statm").read_text().split()[1]) * page
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            busy = (int(fields[11]) + int(fields[12])) / tick
            if resident > MAX_GIGABYTES * 2**30:
                killed = "memory"
            elif busy > MAX_SECONDS or time.monotonic() - start > patience:
                killed = "hang"
            if killed:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, 9)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, 9)
        time.sleep(0.02)
    gigabytes = usage.ru_maxrss / 2**20
    if gigabytes > MAX_GIGABYTES:
        killed = killed or "memory"
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, gigabytes, killed


def _ending(case: Case, status: int, output: str) -> str:
    """The kind of outcome that an exit status and an output stand for."""
    lines = [line for line in output.strip().splitlines() if line.strip()]
    if status == STATE_CHANGED:
        return "state changed"
    if "Traceback (most recent call last)" in output or status not in (OK, REFUSED):
        return "traceback"
    if status == REFUSED:
        sentence = lines and len(lines[-1]) <= MAX_SENTENCE
        return ("not served" if case.must == "served" else "refused") if sentence else "traceback"
    return "not refused" if case.must == "refused" else "served"


def listed(folder: Path) -> dict[str, str]:
    """The kind, size and hash of everything in ``folder``, by path."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = ascii(str(path.relative_to(folder)))[1:-1]
        try:
            mode = path.lstat().st_mode
        except PermissionError:  # its folder is closed
            entries[name] = "out of reach"
            continue
        if stat.S_ISLNK(mode):
            entries[name] = f"link {os.readlink(path)!a}"
        elif stat.S_ISREG(mode):
            with contextlib.suppress(OSError):
                size = path.stat().st_size
                content = hashlib.sha256(path.read_bytes()).hexdigest() if size < 2**27 else "large"
                entries[name] = f"{size} {content}"
        else:
            entries[name] = "folder" if stat.S_ISDIR(mode) else "special"
    return entries


def _touched(case: Case, before: dict[str, str], after: dict[str, str], refused: bool) -> list[str]:
    """Foreign files that changed or vanished and, if the case was refused, files that it left behind."""

    def foreign(name: str) -> bool:
        return not any(fnmatch(name, pattern) for pattern in case.writes)

    changed = [name for name, content in before.items() if after.get(name) != content and foreign(name)]
    left = [name for name in after if refused and name not in before and foreign(name)]
    return changed + left
