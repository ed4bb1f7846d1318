"""A training step measured in a process of its own: peak memory and seconds."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from keras_resnet.errors import InputError

GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # glibc: larger blocks return to the system when they are freed


@dataclass(frozen=True)
class Measured:
    """Of training steps in a process of its own.

    Fields:
        peak: bytes beyond what the process had before there was a model. On a GPU its allocator's; elsewhere its own
            resident memory, with freed memory given back at once, so that it is what was in use.
        resident: the same as the system's allocator leaves it, which keeps some of what is freed; None on a GPU.
        seconds: a step, the median.
        hardware: in words.
    """

    peak: int
    resident: int | None
    seconds: float
    hardware: str


def measure(
    model: str, changes: dict, batch_size: int, size: int, precision: str = "float32", steps: int = 3
) -> Measured:
    """Train ``model`` for a few steps of random images in a new process.

    On a GPU the peak is its allocator's, elsewhere the process' resident memory.

    Args:
        model: a network of ``SPECS``.
        changes: of its spec.
        batch_size: images a step.
        size: side of the images.
        precision: a Keras dtype policy.
        steps: steps behind the first, which traces and is not timed.

    Returns:
        :class:`Measured`.

    Raises:
        InputError: the process was ended, most likely for want of memory.
    """
    asked = json.dumps([model, changes, batch_size, size, precision, steps])
    usual = _in_process(asked, {})
    if usual["gpu"]:
        return Measured(usual["peak"], None, usual["seconds"], usual["hardware"])
    lean = _in_process(json.dumps([model, changes, batch_size, size, precision, 1]), GIVE_BACK)
    return Measured(lean["peak"], usual["peak"], usual["seconds"], usual["hardware"])


def _in_process(asked: str, environment: dict) -> dict:
    command = [sys.executable, "-m", "keras_resnet.analysis.measuring", asked]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1][:200]
        raise InputError(f"The steps of {asked} ended with status {done.returncode} ({last}): give a smaller batch.")
    return json.loads(done.stdout.splitlines()[-1])


class _Watch(threading.Thread):
    """The most memory of its own that this process holds.

    Pages of files, such as the libraries' code, are left out: the system takes them away as it likes, which would be
    subtracted from what a model needs.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self._over = 0, threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.002):
            self.peak = max(self.peak, _own_memory())

    def end(self) -> int:
        """Bytes."""
        self._over.set()
        self.join()
        return self.peak


def _own_memory() -> int:
    with open("/proc/self/status") as status:
        sizes = dict(line.split(":", 1) for line in status if line.startswith(("RssAnon", "VmSwap")))
    return sum(1024 * int(size.split()[0]) for size in sizes.values())


def _train(model, changes, batch_size, size, precision, steps) -> dict:
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_resnet.models import build
    from keras_resnet.specs import change_spec, find_spec
    from keras_resnet.training.files.run_result import hardware

    gpu = bool(tf.config.list_physical_devices("GPU"))
    smallest = change_spec(find_spec("ResNet20"), blocks=(1,), filters=(16,))
    _steps(build(smallest), 2, 32, 1)  # libraries load and thread pools start here
    before, watch = 0 if gpu else _own_memory(), _Watch()
    keras.config.set_dtype_policy(precision)
    network = build(change_spec(find_spec(model), **changes), input_shape=(size, size, 3))
    watch.start()
    seconds = _steps(network, batch_size, size, steps)
    own = watch.end()
    used = tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu else own - before
    return {"gpu": gpu, "peak": int(used), "seconds": float(np.median(seconds)), "hardware": hardware()}


def _steps(network, batch_size, size, steps) -> list[float]:
    import numpy as np
    import tensorflow as tf

    from keras_resnet.training import SGD, TrainingModel

    training = TrainingModel(network)
    training.compile(SGD(0.001))
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(batch_size, size, size, 3)).astype(np.float32))
    labels = tf.constant(rng.integers(0, network.output_shape[-1], batch_size))
    training.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((images, labels)).repeat())
    seconds = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        training.train_function(batches)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


if __name__ == "__main__":
    print(json.dumps(_train(*json.loads(sys.argv[1]))))
