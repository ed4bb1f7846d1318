"""SIGTERM and SIGINT end a run after one of its next steps, with a checkpoint; a second one ends it at once.

Before the first step and after the last they end it where it is, with the checkpoints that there are.
"""

import contextlib
import os
import signal

EXIT_BASE = 128  # a process that a signal ended exits with 128 + its number: 143 and 130


class Stopped(BaseException):
    """The run was told to stop, and in the middle of its steps has saved where it is; as KeyboardInterrupt no error.

    Attributes:
        status: the exit status to end with.
    """

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = EXIT_BASE + number


@contextlib.contextmanager
def sigterm_stops():
    """While entered, SIGTERM raises :class:`Stopped` wherever the program is, as SIGINT does KeyboardInterrupt."""

    def stop(number, frame):
        raise Stopped(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class StopSignals:
    """While entered, notes the first SIGTERM or SIGINT in ``received``, its number, and exits at the second."""

    def __init__(self):
        self.received: int | None = None

    def __enter__(self):
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame):
        if self.received is not None:
            os._exit(EXIT_BASE + number)
        self.received = number
        name = signal.Signals(number).name
        os.write(2, f"\n{name}: saving a checkpoint first; a second one ends at once\n".encode())
