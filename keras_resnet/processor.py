"""The processor's instruction sets, and the kernels that TensorFlow uses on it."""

import logging
import os
import platform
from pathlib import Path

INSTRUCTION_SETS = {  # flag in /proc/cpuinfo: name; the sets that decide which kernels run
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
}
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
LEFT_OFF = (
    "TensorFlow was imported before keras_resnet and left its oneDNN kernels off, without which a training step takes "
    f"about twice the time on this processor: import keras_resnet first, or set {ONEDNN}=1."
)


def name() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """The names of the ``INSTRUCTION_SETS`` that the processor has; empty if the system does not list them."""
    flags = _cpuinfo("flags").split()
    return [name for flag, name in INSTRUCTION_SETS.items() if flag in flags]


def prefer_onednn() -> None:
    """Make TensorFlow use oneDNN's kernels unless the environment says otherwise; call it before TensorFlow's import.

    By default, TensorFlow leaves them off on x86 processors without AVX-512.
    """
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault(ONEDNN, "1")


def say_if_onednn_is_off() -> None:
    """Log a warning if TensorFlow is already imported and has left oneDNN's kernels off by default."""
    if ONEDNN not in os.environ and "AVX2" in instruction_sets() and onednn_is_on() is False:
        logging.getLogger("keras_resnet").warning(LEFT_OFF)


def onednn_is_on() -> bool | None:
    """Whether TensorFlow uses oneDNN's kernels; None if this TensorFlow does not tell."""
    try:
        from tensorflow.python.util import _pywrap_util_port as port
    except ImportError:  # there is no public name for it
        return None
    return port.IsMklEnabled()


def advice_on(precision: str) -> str | None:
    """A sentence if ``precision`` is mixed_bfloat16 and the processor is faster in float32; None otherwise."""
    sets = instruction_sets()
    if precision != "mixed_bfloat16" or not sets or "AMX BF16" in sets:
        return None
    if "AVX-512 BF16" not in sets:
        why = "has no bfloat16 arithmetic (AVX-512 BF16 or AMX), and is several times slower with AVX2 alone"
    elif _cpuinfo("vendor_id") == "GenuineIntel":  # whose instruction runs at half the rate of float32's
        why = "has bfloat16 arithmetic of AVX-512 only, without AMX, which is slow on Intel's processors"
    else:
        return None
    return f"This processor {why}: --precision mixed_bfloat16 takes longer than float32 here; use --precision float32."


def _cpuinfo(key: str) -> str:
    """The first value of ``key`` in ``/proc/cpuinfo``; empty if there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == key), "")
