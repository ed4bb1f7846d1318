"""What the per-class outputs of the localization RPN cost: a training step with them against a classifier's."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from benchmark_turns import Benchmark, Rounds, alternate

import keras_resnet
from keras_resnet.bounds import Count, Pixels
from keras_resnet.specs import find_spec
from keras_resnet.tables import Table, write_tables

OBJECTS = 4


@dataclass(frozen=True)
class Localize(Benchmark):
    """Steps of the localization RPN with few classes and many, against a classifier's whose normalization stands still.

    Time is the processor's, so that what other programs take of a shared machine does not count.
    """

    model: str = "ResNet50"
    batch_size: Count = 16
    size: Pixels = 224
    classes: Count = 1000
    rounds: Rounds = 5

    def measure(self) -> None:
        names = {"classifier": self.classes, "RPN, one class": 1, f"RPN, {self.classes:,} classes": self.classes}
        contestants = [(name, name == "classifier", count) for name, count in names.items()]
        peaks = {name: self._in_process(classifies, count) for name, classifies, count in contestants}
        turns = {name: self._step(classifies, count) for name, classifies, count in contestants}
        rates = alternate(turns, self.batch_size, self.rounds, 0, time.process_time)
        print(f"{self.model}, {self.batch_size} images of {self.size} pixels a step")
        table = Table("localize", ("training step", "processor seconds", "ratio", "peak memory, GiB"))
        table.print_header()
        for name in names:
            ratio = rates["classifier"] / rates[name]
            table.add(name, f"{self.batch_size / rates[name]:.2f}", f"{ratio:.3f}", f"{peaks[name]:.2f}")
        write_tables(self.json, [table])

    def _in_process(self, classifies: bool, classes: int) -> float:
        """The most memory, in GiB, that a process of its own holds for two steps."""
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(self._peak, (classifies, classes))

    def _peak(self, classifies: bool, classes: int) -> float:
        step = self._step(classifies, classes)
        for _ in range(2):
            step()
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    def _step(self, classifies: bool, classes: int) -> Callable[[], object]:
        import tensorflow as tf

        from keras_resnet.localization import LocalizationRPN
        from keras_resnet.training import SGD, TrainingModel, freeze

        rng = np.random.default_rng(0)
        network = keras_resnet.build(find_spec(self.model), input_shape=(self.size, self.size, 3), classes=classes)
        images = rng.normal(size=(self.batch_size, self.size, self.size, 3)).astype(np.float32)
        numbers = rng.integers(0, classes, self.batch_size).astype(np.int32)
        if classifies:
            freeze(network, None, batch_norm=True)
            model, batch = TrainingModel(network), (images, numbers)
        else:
            model = LocalizationRPN(network, tuple(map(str, range(classes))), self.size)
            corner = rng.uniform(0, 0.5, (self.batch_size, OBJECTS, 2))
            boxes = self.size * np.concatenate([corner, corner + rng.uniform(0.1, 0.5, corner.shape)], axis=2)
            status = np.ones((self.batch_size, OBJECTS), np.int32)
            seeds = np.arange(2 * self.batch_size).reshape(-1, 2)
            batch = (images, boxes.astype(np.float32), status, numbers, seeds)
        model.compile(SGD(1e-9))  # the weights should stay where they are
        model.make_train_function()
        forever = iter(tf.data.Dataset.from_tensors(tuple(map(tf.constant, batch))).repeat())
        return lambda: model.train_function(forever)
