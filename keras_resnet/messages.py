"""What is printed while programs start: TensorFlow's messages, of which its TF_CPP_MIN_LOG_LEVEL is meant to decide."""

import contextlib
import glob
import os
import subprocess
import sys
import traceback
from pathlib import Path

# A process of its own, so that the last words of one that crashes in the import are heard.
FILTER = """
import re, sys
for line in sys.stdin.buffer:
    if not re.match(rb"[%s]\\d{4} \\d\\d|WARNING: All log messages before absl%s", line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
NO_GPU = "|E.*failed call to cuInit"  # for TensorFlow an error also where there is no GPU
NVIDIA = ("/dev/nvidia*", "/dev/nvhost*", "/dev/dxg")  # of a driver; of Jetson; of Windows' Linux
NVIDIA_VENDOR = "0x10de"  # on the PCI bus, with a driver or without


@contextlib.contextmanager
def at_log_level():
    """Leave out the lines of lower levels that TensorFlow writes before it reads the variable; errors are written.

    Where there is no NVIDIA device, TensorFlow looks for its devices at the end, and its error that there is none is
    left out too.
    """
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "0")
    if level not in ("1", "2", "3"):
        yield
        return
    command = [sys.executable, "-S", "-E", "-c", FILTER % ("IW"[: int(level)], "" if has_nvidia() else NO_GPU)]
    heard = os.dup(2)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=heard) as process:
        os.dup2(process.stdin.fileno(), 2)
        try:
            yield
            if "tensorflow" in sys.modules and not has_nvidia():
                sys.modules["tensorflow"].config.list_physical_devices()
        finally:
            os.dup2(heard, 2)
            os.close(heard)


def hide_interrupted_imports() -> None:
    """Let Ctrl-C during an import, which takes seconds, end a program without a traceback."""
    before = sys.excepthook

    def hook(kind, error, trace):
        frames = [frame for frame, _ in traceback.walk_tb(trace)] if issubclass(kind, KeyboardInterrupt) else []
        modules = [frame.f_globals.get("__name__", "") for frame in frames if frame.f_code.co_name == "<module>"]
        importing = any(frame.f_code.co_filename.startswith("<frozen importlib") for frame in frames)
        if not (importing or set(modules) - {"__main__"}):
            before(kind, error, trace)

    sys.excepthook = hook


def has_nvidia() -> bool:
    """Whether the machine has an NVIDIA device, with a driver or without one."""
    if any(map(glob.glob, NVIDIA)):
        return True
    return any(Path(path).read_text().strip() == NVIDIA_VENDOR for path in glob.glob("/sys/bus/pci/devices/*/vendor"))
