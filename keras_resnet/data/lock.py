"""A lock for what one of several processes computes for all of them."""

import contextlib
import fcntl
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def one_at_a_time(target: Path, doing: str) -> Iterator[None]:
    """Hold the lock of ``target``, a file that is computed once and stored.

    Of several workers on a shared disk, one computes what the others then find. If nothing can be locked or written,
    each computes its own. The system releases the lock when the process ends. ``doing`` is shown to those that wait.
    """
    with contextlib.ExitStack() as held:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = held.enter_context(open(target.with_suffix(".lock"), "w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another process that is {doing}", file=sys.stderr, flush=True)
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a full or read-only disk, or a file system without locks
            pass
        yield
