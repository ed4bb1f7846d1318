"""SIGTERM and SIGINT end a run after one of its next steps, with a checkpoint; a second signal ends it at once.

Before the first step and after the last one they end it where it is, without another checkpoint.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

EXIT_BASE = 128  # a process ended by a signal exits with 128 + its number: 143 or 130


class Stopped(BaseException):
    """A signal stopped the run, which has saved a checkpoint if it was training; like KeyboardInterrupt, not an error.

    Attributes:
        status: the exit status to end with.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = EXIT_BASE + number


@contextlib.contextmanager
def sigterm_stops() -> Iterator[None]:
    """Within this context SIGTERM raises :class:`Stopped`, as SIGINT raises KeyboardInterrupt."""

    def stop(number, frame):
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopSignals:
    """Within this context the first SIGTERM or SIGINT sets ``received`` to its number; the second one exits."""

    def __init__(self):
        self.received: int | None = None

    def __enter__(self):
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number, frame):
        if self.received is not None:
            os._exit(EXIT_BASE + number)
        self.received = number
        name = signal.Signals(number).name
        os.write(2, f"\n{name}: saving a checkpoint first; a second signal ends the run at once\n".encode())
