"""Clocks that go back: while a program runs, and between two programs, which then find files of the future."""

import functools
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from hostile_kills import PATIENCE, RUN, TOOLS, cache, die_at, go_on, prepare, undisturbed
from hostile_run_parts import ROOT
from hostile_workdirs import shared_folder
from processes import Process, effect
from watching import Case, StateChanged

BACK = {"a minute": 60, "a day": 86_400, "forty years": 40 * 365 * 86_400}  # seconds
CLOCK = """
/* The clock of the calendar goes back by CLOCK_BACK seconds once the file CLOCK_WHEN exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long back(void) {
    const char *when = getenv("CLOCK_WHEN"), *seconds = getenv("CLOCK_BACK");
    return when && seconds && access(when, F_OK) == 0 ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (!status && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= back();
    return status;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec precise;
    int status = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return status;
}

time_t time(time_t *now) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (now) *now = precise.tv_sec;
    return precise.tv_sec;
}
"""


@functools.cache
def clock() -> Path | None:
    """A library that sets back the clock of programs that load it first; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source = Path(shared_folder().name) / "clock.c"
    source.write_text(CLOCK)
    library = source.with_suffix(".so")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def clock_set_back(draw: random.Random) -> Case:
    if clock() is None:
        return files_of_the_future(draw)
    program, (name, seconds) = draw.choice(("run", "campaign")), draw.choice(list(BACK.items()))
    use = {"run": _run_with, "campaign": _campaign_with}[program]
    title = f"the clock goes back {name} while a {program} goes on"
    expected = undisturbed("run")[1] if program == "run" else None
    return Case(title, prepare, lambda folder: use(folder, seconds, expected), ("*",), "served", patience=PATIENCE)


def _run_with(folder: Path, seconds: int, expected: object) -> None:
    _under_clock(folder, RUN.words, folder / "run" / "checkpoints" / "step-000000002", seconds)
    if json.loads(json.dumps(RUN.result(folder))) != expected:
        raise StateChanged(f"it gave {RUN.result(folder)!s:.300} instead of {expected!s:.300}")
    result = json.loads((folder / "run" / "result.json").read_text())
    if result["seconds"] < 0 or (result["images_per_second"] or 0) < 0:
        raise StateChanged(f"it took {result['seconds']} s, at {result['images_per_second']} images/s")
    from tensorflow.compat.v1.train import summary_iterator

    times = [event.wall_time for file in folder.glob("run/train/*") for event in summary_iterator(str(file))]
    went_back = any(later < earlier - seconds / 2 for earlier, later in itertools.pairwise(times))
    effect(went_back, f"the clock of the run did not go back: {times}")


def _campaign_with(folder: Path, seconds: int, expected: object) -> None:
    (folder / "queue.txt").write_text(f"one: sh -c 'touch {folder}/back; date +%s > {folder}/at'\n")
    start = time.time()
    _under_clock(folder, ("tools/campaign.py", "queue.txt"), folder / "back", seconds)
    effect(int((folder / "at").read_text()) < start - seconds / 2, "the clock of its command did not go back")
    content = json.loads((folder / "queue.txt.d" / "one.json").read_text())
    if content["status"] or not 0 <= content["seconds"] < 60:
        raise StateChanged(f"its command took {content['seconds']} s")


def _under_clock(folder: Path, words: tuple, when: Path, seconds: int) -> None:
    """Run a program whose clock goes back once the file ``when`` exists."""
    environment = os.environ | cache(folder) | {"PYTHONPATH": str(ROOT)}
    environment |= {"LD_PRELOAD": str(clock()), "CLOCK_WHEN": str(when), "CLOCK_BACK": str(seconds)}
    command = [sys.executable, ROOT / words[0], *words[1:]]
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    if done.returncode:
        raise StateChanged(f"it ended with {done.returncode}: {done.stderr[-1000:]}")


def files_of_the_future(draw: random.Random) -> Case:
    """What a program left when it was killed is later than the clock of the one that goes on."""
    name, (words, seconds) = draw.choice(["run", *TOOLS]), draw.choice(list(BACK.items()))
    operations, expected = undisturbed(name)
    tool, number = RUN if name == "run" else TOOLS[name], draw.randrange(operations - 1)

    def use(folder):
        given = set(folder.rglob("*"))
        killed = Process(tool.words, folder / "log", cache(folder), die_at(number))
        effect(killed.ended() == -signal.SIGKILL, f"not killed: {killed.said()[-500:]}")
        for path in set(folder.rglob("*")) - given:
            os.utime(path, (time.time() + seconds,) * 2)
        go_on(tool, folder, expected)

    title = f"{name} killed at file operation {number}; its files are then {words} ahead of the clock"
    return Case(title, prepare, use, ("*",), "served", patience=PATIENCE)
