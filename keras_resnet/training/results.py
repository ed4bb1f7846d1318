"""``result.json``: what a run gave, and all that is needed to give it again."""

import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("keras_resnet", "keras", "tensorflow", "tensorflow-datasets", "numpy")


def versions() -> dict[str, str]:
    """Installed versions of Python and the packages that compute."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware() -> str:
    """The processors and accelerators TensorFlow sees, in words."""
    import os

    import tensorflow as tf

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ", ".join([*gpus, f"{cores} core{'s' * (cores != 1)} of {model}"])


def commit() -> str:
    """The commit of the source tree, with ``+changes`` if it was changed since; "unknown" outside a checkout."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments):
        return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True).stdout

    try:
        return git("rev-parse", "HEAD").strip() + ("+changes" if git("status", "--porcelain").strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def provenance() -> dict:
    """``command``, ``commit``, ``versions`` and ``hardware`` of this process."""
    command = shlex.join([Path(sys.executable).name, *sys.argv])
    return {"command": command, "commit": commit(), "versions": versions(), "hardware": hardware()}
