"""Messages while programs start: those of TensorFlow that TF_CPP_MIN_LOG_LEVEL should hide, and interrupted imports."""

import contextlib
import glob
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

# A separate process, so that the last messages of a process that crashes in the import are printed.
FILTER = """
import re, sys
for line in sys.stdin.buffer:
    if not re.match(rb"[%s]\\d{4} \\d\\d|WARNING: All log messages before absl%s", line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
NO_GPU = "|E.*failed call to cuInit"  # which TensorFlow calls an error even where there is no GPU
NVIDIA = ("/dev/nvidia*", "/dev/nvhost*", "/dev/dxg")  # of the driver, of Jetson, and of Windows' Linux
NVIDIA_VENDOR = "0x10de"  # on the PCI bus, with a driver or without


@contextlib.contextmanager
def at_log_level() -> Iterator[None]:
    """Hide the messages below TF_CPP_MIN_LOG_LEVEL that TensorFlow writes before it reads that variable.

    Errors are always written. On a machine without an NVIDIA device, TensorFlow is made to search for devices before
    the block ends, and its error that there is none is hidden too.
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0")
    if level not in ("1", "2", "3"):
        yield
        return
    command = [sys.executable, "-S", "-I", "-c", FILTER % ("IW"[: int(level)], "" if has_nvidia() else NO_GPU)]
    standard_error = os.dup(2)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=standard_error) as process:
        assert process.stdin is not None  # a pipe
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules and not has_nvidia():
                sys.modules["tensorflow"].config.list_physical_devices()
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


def hide_interrupted_imports() -> None:
    """Let Ctrl-C during an import, which can take seconds, end a program without a traceback."""
    before = sys.excepthook

    def hook(type_, error, trace):
        frames = [frame for frame, _ in traceback.walk_tb(trace)] if issubclass(type_, KeyboardInterrupt) else []
        modules = [frame.f_globals.get("__name__", "") for frame in frames if frame.f_code.co_name == "<module>"]
        importing = any(frame.f_code.co_filename.startswith("<frozen importlib") for frame in frames)
        if not (importing or set(modules) - {"__main__"}):
            before(type_, error, trace)

    sys.excepthook = hook


def has_nvidia() -> bool:
    """Whether the machine has an NVIDIA device, with or without a driver."""
    if any(map(glob.glob, NVIDIA)):
        return True
    return any(Path(path).read_text().strip() == NVIDIA_VENDOR for path in glob.glob("/sys/bus/pci/devices/*/vendor"))
