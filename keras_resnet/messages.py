"""TensorFlow's messages while it is imported, of which its own TF_CPP_MIN_LOG_LEVEL is meant to decide."""

import contextlib
import os
import subprocess
import sys

# A process of its own, so that the last words of one that crashes in the import are heard.
FILTER = """
import re, sys
for line in sys.stdin.buffer:
    if not re.match(rb"[%s]\\d{4} \\d\\d|WARNING: All log messages before absl", line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


@contextlib.contextmanager
def at_log_level():
    """Leave out the lines of lower levels that TensorFlow writes before it reads the variable; errors are written."""
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0")
    if level not in ("1", "2", "3") or "tensorflow" in sys.modules:
        yield
        return
    command = [sys.executable, "-S", "-E", "-c", FILTER % "IW"[: int(level)]]
    heard = os.dup(2)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=heard) as process:
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(heard, 2)
            os.close(heard)
