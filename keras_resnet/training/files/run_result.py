"""``result.json``: where the result of a run comes from, and everything needed to repeat it."""

import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from keras_resnet import processor

PACKAGES = ("keras_resnet", "keras", "tensorflow", "tensorflow-datasets", "numpy")
OF_BACKENDS = {"tensorflow": (), "jax": ("jax",), "torch": ("torch",)}  # further packages that compute
ENVIRONMENT = (  # prefixes of variables that change a run's speed, memory or last digits
    "TF_ENABLE_", "TF_NUM_", "TF_XLA_", "TF_GPU_", "TF_FORCE_", "TF_CUDNN_", "TF_DETERMINISTIC_OPS", "XLA_FLAGS",
    "ONEDNN_", "DNNL_", "KERAS_BACKEND", "OMP_", "MKL_", "CUDA_VISIBLE_DEVICES", "NVIDIA_TF32_OVERRIDE",
    "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Installed versions of Python and of the packages that compute."""
    import keras

    installed = {"python": platform.python_version()}
    for package in (*PACKAGES, *OF_BACKENDS.get(keras.backend.backend(), ())):
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = "not installed"
    return installed


def hardware() -> str:
    """The processor with its instruction sets, and the accelerators that Keras' backend sees, in words."""
    sets, gpus = processor.instruction_sets(), accelerators()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with_sets = f" with {', '.join(sets)}" if sets else ""
    return ", ".join([*gpus, f"{cores} core{'s' * (cores != 1)} of {processor.name()}{with_sets}"])


def accelerators() -> list[str]:
    """The names of the GPUs, or other accelerators, that Keras' backend sees."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.local_devices() if device.platform != "cpu"]
    if keras.backend.backend() == "torch":
        import torch

        return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    import tensorflow as tf

    details = tf.config.experimental.get_device_details
    return [details(gpu).get("device_name", "GPU") for gpu in tf.config.list_physical_devices("GPU")]


def environment() -> dict[str, str]:
    """The environment variables that change a run's speed, memory or last digits."""
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(ENVIRONMENT)}


def commit() -> str:
    """The commit of the source tree, with ``+changes`` if it has uncommitted ones; "unknown" outside a checkout."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():  # above an installation git would find somebody else's repository
        return "unknown"

    def git(*arguments):  # which may not write the index anew: a killed one would leave its lock
        words = ["git", "-C", str(root), "--no-optional-locks", *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    try:
        return git("rev-parse", "HEAD").strip() + ("+changes" if git("status", "--porcelain").strip() else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def final_values(result: dict[str, Any]) -> dict[str, float]:
    """The errors, or other numbers, of the validation and test part in a ``result.json``."""
    return {k: v for k, v in result.items() if k.startswith(("val_", "test_")) and isinstance(v, float)}


def provenance() -> dict:
    """``command``, ``commit``, ``versions``, ``hardware`` and ``environment`` of this process."""
    command = shlex.join([Path(sys.executable).name, *sys.argv])
    origin = {"command": command, "commit": commit(), "versions": versions(), "hardware": hardware()}
    return origin | {"environment": environment()}
