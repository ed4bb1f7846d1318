"""Measurement of training steps in a separate process: peak memory and seconds."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from keras_resnet.errors import InputError
from keras_resnet.programs import HOME

RETURN_FREED = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # glibc returns larger blocks to the system when they are freed


@dataclass(frozen=True)
class Measured:
    """Memory and time of training steps in a separate process.

    Fields:
        peak: bytes in use at most, beyond those before the model was built. On a GPU, its allocator counts them;
            elsewhere, it is the process' resident memory when freed memory is returned to the system at once.
        resident: the same in an ordinary process, whose allocator keeps some of the freed memory; None on a GPU.
        seconds: the median time of a step.
        hardware: the hardware in words.
    """

    peak: int
    resident: int | None
    seconds: float
    hardware: str


def measure(
    model: str, changes: dict, batch_size: int, size: int, precision: str = "float32", steps: int = 3
) -> Measured:
    """Train ``model`` for a few steps on random images in a new process.

    Args:
        model: a network of ``SPECS``.
        changes: changes of its spec.
        batch_size: images per step.
        size: side of the images in pixels.
        precision: a Keras dtype policy.
        steps: number of timed steps, after a first step that is not timed because it traces.

    Raises:
        InputError: the process ended early, most likely because there was not enough memory.
    """
    arguments = json.dumps([model, changes, batch_size, size, precision, steps])
    ordinary = _in_process(arguments, {})
    if ordinary["gpu"]:
        return Measured(ordinary["peak"], None, ordinary["seconds"], ordinary["hardware"])
    lean = _in_process(json.dumps([model, changes, batch_size, size, precision, 1]), RETURN_FREED)
    return Measured(lean["peak"], ordinary["peak"], ordinary["seconds"], ordinary["hardware"])


def _in_process(arguments: str, variables: dict[str, str]) -> dict:
    """The results of :func:`_train` in a new process with these environment variables."""
    command = [sys.executable, "-m", "keras_resnet.analysis.measuring", arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", **variables}
    # in the package's folder, since Python would run modules of the current folder that are called like its own
    completed = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=HOME)
    if status := completed.returncode:
        last = (completed.stderr.strip().splitlines() or ["no message"])[-1][:200]
        raise InputError(f"The steps of {arguments} ended with status {status} ({last}): give a smaller batch.")
    return json.loads(completed.stdout.splitlines()[-1])


class _Watch(threading.Thread):
    """Measures the largest anonymous memory of this process.

    Pages of files, such as the libraries' code, are not counted: the system may drop them at any time, which would
    reduce the memory that seems to be in use.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self._ended = 0, threading.Event()

    def run(self) -> None:
        while not self._ended.wait(0.002):
            self.peak = max(self.peak, _anonymous_memory())

    def end(self) -> int:
        """Stop, and return the peak in bytes."""
        self._ended.set()
        self.join()
        return self.peak


def _anonymous_memory() -> int:
    with open("/proc/self/status") as status:
        sizes = dict(line.split(":", 1) for line in status if line.startswith(("RssAnon", "VmSwap")))
    return sum(1024 * int(size.split()[0]) for size in sizes.values())


def _train(model, changes, batch_size, size, precision, steps) -> dict:
    from keras_resnet.specs import change_spec, find_spec

    spec = change_spec(find_spec(model), **changes)  # an unknown name is refused before the imports, which take seconds
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_resnet.models import build
    from keras_resnet.training.files.run_result import hardware

    gpu = bool(tf.config.list_physical_devices("GPU"))
    smallest = change_spec(find_spec("ResNet20"), blocks=(1,), filters=(16,))
    _steps(build(smallest), 2, 32, 1)  # loads libraries and starts thread pools
    before, watch = 0 if gpu else _anonymous_memory(), _Watch()
    keras.config.set_dtype_policy(precision)
    network = build(spec, input_shape=(size, size, 3))
    watch.start()
    seconds = _steps(network, batch_size, size, steps)
    peak = watch.end()
    used = tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpu else peak - before
    return {"gpu": gpu, "peak": int(used), "seconds": float(np.median(seconds)), "hardware": hardware()}


def _steps(network, batch_size, size, steps) -> list[float]:
    """The seconds of each of ``steps`` training steps after the first."""
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
