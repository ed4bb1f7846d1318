"""Speed as ratios within one run: the contestants take turns for several rounds, and medians are compared.

python tools/benchmark.py train             training steps against keras.applications, and PyTorch with --peer torch
python tools/benchmark.py input --data DIR  the ImageNet training pipeline against decode, resize, crop
python tools/benchmark.py files             opening a folder of 200,000 photos, the first time and again
python tools/benchmark.py records           the share of checksums in the time to read records
python tools/benchmark.py fit               MirroredStrategy with one replica against none; the cost of checkpoints
python tools/benchmark.py memory            resident memory of a run of 2,000 steps
python tools/benchmark.py depth             building ResNet-1202, and its first training steps
python tools/benchmark.py inference         folded normalization against unfolded, and against the systems of train
python tools/benchmark.py views --data DIR  the time of each test view against its multiply-adds
python tools/benchmark.py detect            the cost of proposals and regions; one image against its multiply-adds
python tools/benchmark.py detect --head c4 fpn   the two heads of a detector in turns
python tools/benchmark.py localize          the cost of separate outputs for 1,000 classes in a training step
"""

import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmark_contestant import batch_of, keras_turn
from benchmark_detection import Detect
from benchmark_input import Files, Input, Records
from benchmark_localization import Localize
from benchmark_networks import Inference, Train
from benchmark_turns import Benchmark, Rounds, alternate
from benchmark_views import Views

import keras_resnet
from keras_resnet import data
from keras_resnet.bounds import Count, Steps
from keras_resnet.command_line import run_tools
from keras_resnet.programs import find
from keras_resnet.tables import Table, write_tables
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.weights import Preprocessing


@dataclass(frozen=True)
class Depth(Benchmark):
    """Seconds until ResNet-1202 is built, and until its first training step is done."""

    batch_size: Count = 16

    def measure(self) -> None:
        start = time.perf_counter()
        model = keras_resnet.ResNet1202()
        built = time.perf_counter() - start
        step = keras_turn(model, "train", *batch_of(model.spec, self.batch_size))
        step()
        first = time.perf_counter() - start
        step()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        second = time.perf_counter() - start - first
        table = Table("depth", (f"ResNet-1202, batch {self.batch_size}", "value"))
        table.print_header()
        table.add("built after, s", f"{built:.2f}")
        table.add("first step after, s", f"{first:.1f}")
        table.add("second step, s", f"{second:.1f}")
        table.add("peak memory, GiB", f"{memory:.1f}")
        write_tables(self.json, [table])


@dataclass(frozen=True)
class Fit(Benchmark):
    """``fit`` of ResNet-20 at batch 128: the cost of a strategy with one replica, and of checkpoints."""

    rounds: Rounds = 7
    steps: Steps = 20
    """Steps per turn."""
    save_every: Steps = 200
    """Steps between checkpoints."""

    def measure(self) -> None:
        import tensorflow as tf

        (cpu,) = tf.config.list_logical_devices("CPU")
        strategies = {
            "no strategy": tf.distribute.get_strategy(),
            "MirroredStrategy": tf.distribute.MirroredStrategy([cpu.name]),
        }
        models = {name: self._model(strategy) for name, strategy in strategies.items()}
        batches = data.cifar_batches(random_images(1024), Preprocessing(np.zeros(3)), 128, seed=0)
        turns = {
            name: lambda model=model: model.fit(batches, steps_per_epoch=self.steps, verbose=0, shuffle=False)
            for name, model in models.items()
        }
        # Processor time excludes the time that other processes of a shared machine take.
        rates = alternate(turns, 128 * self.steps, self.rounds, 0, time.process_time)
        ratio = rates["MirroredStrategy"] / rates["no strategy"]
        table = Table("fit", ("fit, ResNet-20, batch 128", "images a CPU second", "ratio"))
        table.print_header()
        table.add("no strategy", f"{rates['no strategy']:.0f}", "")
        table.add("MirroredStrategy, one replica", f"{rates['MirroredStrategy']:.0f}", f"{ratio:.3f}")
        print()
        step_seconds = 128 / rates["no strategy"] / os.cpu_count()
        write_tables(self.json, [table, self._checkpoints(models["no strategy"], step_seconds)])

    def _model(self, strategy):
        from keras_resnet.training import SGD, TrainingModel

        with strategy.scope():
            model = TrainingModel(keras_resnet.ResNet20())
            model.compile(SGD(0.01))
        return model

    def _checkpoints(self, model, step_seconds) -> Table:  # step_seconds assumes that all cores are busy
        from keras_resnet.training.files.workdir import Workdir
        from keras_resnet.training.state import State

        with tempfile.TemporaryDirectory() as folder:
            workdir = Workdir(Path(folder), {})
            seconds = []
            for step in range(20):
                start = time.perf_counter()
                workdir.save_checkpoint(model, State(step=step))
                seconds.append(time.perf_counter() - start)
            workdir.close()
        save = float(np.median(seconds))
        share = save / (save + self.save_every * step_seconds)
        table = Table("checkpoints", ("a checkpoint, ms", f"share of the time with one every {self.save_every} steps"))
        table.print_header()
        table.add(f"{1e3 * save:.0f}", f"{share:.2%}")
        return table


def random_images(count: int) -> "data.ArraySplit":
    """Random CIFAR-sized images of random classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 32, 32, 3), np.uint8)
    return data.ArraySplit("random", images, rng.integers(0, 10, count).astype(np.int32))


@dataclass(frozen=True)
class Memory(Benchmark):
    """Resident memory of ``recipes/imagenet.py`` on the demo set, quarter by quarter of its steps."""

    steps: Steps = 2000
    batch_size: Count = 16

    def measure(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            flags = {"--steps": self.steps, "--batch-size": self.batch_size, "--save-every": 100, "--workdir": folder}
            command = [sys.executable, find("imagenet"), *itertools.chain.from_iterable(flags.items())]
            with subprocess.Popen(
                list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                samples = self._watch(process, Path(folder) / "metrics.csv")
        table = Table("memory", ("steps", "peak resident memory, MiB"))
        table.print_header()
        for quarter in range(4):
            first, last = quarter * self.steps // 4, (quarter + 1) * self.steps // 4
            peak = max((size for step, size in samples if first < step <= last), default=0)
            table.add(f"{first:,} to {last:,}", f"{peak:.0f}")
        write_tables(self.json, [table])

    def _watch(self, process, metrics: Path) -> list[tuple[int, float]]:
        samples, status = [], Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            rows = read_metrics(metrics)
            lines = status.read_text().splitlines()
            resident = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0)
            samples.append((rows[-1]["step"] if rows else 0, resident))
            time.sleep(0.5)
        return samples


COMMANDS = {
    "train": Train,
    "input": Input,
    "files": Files,
    "records": Records,
    "fit": Fit,
    "memory": Memory,
    "depth": Depth,
    "inference": Inference,
    "views": Views,
    "detect": Detect,
    "localize": Localize,
}

if __name__ == "__main__":
    run_tools(COMMANDS, __doc__)
