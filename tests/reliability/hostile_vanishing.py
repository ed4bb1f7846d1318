"""Folders that vanish while a run goes on, as those of a shared disk do, and that come back afterwards."""

import ctypes
import functools
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

from hostile_kills import PATIENCE, RUN, cache, in_fork, on_each_operation, prepare, undisturbed
from hostile_workers import check_curves, undisturbed_workers
from processes import Process, all_ended, effect, refused, served, workers
from watching import Case, StateChanged

NEW_NAMESPACE, PRIVATE, BIND, DETACH = 0x20000, 1 << 18 | 1 << 14, 1 << 12, 2  # of Linux' mounts
LIBC = ctypes.CDLL(None, use_errno=True)
COMMAND = (*RUN.words[:-1], "share/run")
WHILE_IT_WRITES = (4, 44)  # operations below the folder, from when the run has locked its own; it has 88


def mount(source: Path | None, place: Path, kind: str | None, flags: int = 0) -> None:
    words = [str(word).encode() if word is not None else None for word in (source, place, kind)]
    _succeeds(LIBC.mount(*words, flags, None))


def _succeeds(status: int) -> None:
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@functools.cache
def can_mount() -> bool:
    """Whether this process may mount file systems, which not even root may in some containers."""
    return os.geteuid() == 0 and in_fork(lambda: _succeeds(LIBC.unshare(NEW_NAMESPACE))) == 0


class Renamed:
    """A folder that another program moves elsewhere."""

    def __init__(self, folder: Path):
        self.folder, self.elsewhere = folder, folder.with_name("elsewhere")
        folder.mkdir(exist_ok=True)

    def vanish(self) -> None:
        self.folder.rename(self.elsewhere)

    def come_back(self) -> None:
        effect(self.elsewhere.exists(), f"{self.folder} did not vanish")
        if self.folder.exists():
            raise StateChanged(f"{self.folder} was created again without what was in it")
        self.elsewhere.rename(self.folder)


class Unmounted:
    """A file system that is detached under the programs that use it, as when its server is gone."""

    def __init__(self, folder: Path):
        self.folder, self.disk = folder, folder.with_name("disk")
        _succeeds(LIBC.unshare(NEW_NAMESPACE))  # what is mounted here is seen by this case alone
        mount(None, Path("/"), None, PRIVATE)
        self.disk.mkdir()
        folder.mkdir()
        mount(Path("tmpfs"), self.disk, "tmpfs")
        mount(self.disk, folder, None, BIND)

    def vanish(self) -> None:
        _succeeds(LIBC.umount2(str(self.folder).encode(), DETACH))

    def come_back(self) -> None:
        effect(not os.path.ismount(self.folder), f"{self.folder} did not vanish")
        if any(self.folder.iterdir()):
            raise StateChanged(f"{self.folder} was written to without what was in it")
        mount(self.disk, self.folder, None, BIND)


def vanished_folder(draw: random.Random) -> Case:
    count, how = draw.choice((1, 2)), draw.choice((Renamed, Unmounted) if can_mount() else (Renamed,))
    number = draw.randrange(*WHILE_IT_WRITES)
    expected = undisturbed("run")[1] if count == 1 else undisturbed_workers()

    def use(folder):
        place = how(folder / "share")

        def before():
            on_each_operation(place.folder, lambda n: place.vanish() if n == number else None)

        started = _started(folder, count, before)
        with all_ended(started):
            for process in started:
                refused(process)
        place.come_back()
        for process in _started(folder, count):
            served(process)
        given = json.loads(json.dumps(RUN.result(folder / "share")))
        if count > 1:
            check_curves(given, expected)
        elif given != expected:
            raise StateChanged(f"the same command gave {given} instead of {expected}")

    gone = {Renamed: "renamed", Unmounted: "unmounted"}[how]
    title = f"the folder of a run of {count} is {gone} at its file operation {number}"
    return Case(title, prepare, use, ("*",), "served", patience=PATIENCE)


def _started(folder: Path, count: int, before: Callable[[], None] = lambda: None) -> list[Process]:
    if count == 1:
        return [Process(COMMAND, folder / "log", cache(folder), before)]
    return workers(COMMAND, folder, count, {0: before})
