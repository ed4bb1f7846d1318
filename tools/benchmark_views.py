"""Speed of test views."""

import time
from dataclasses import dataclass

import numpy as np
from benchmark_turns import Benchmark, Rounds

import keras_resnet
from keras_resnet import data, evaluation
from keras_resnet.bounds import Count
from keras_resnet.specs import find_spec
from keras_resnet.tables import Table, write_tables


@dataclass(frozen=True)
class Views(Benchmark):
    """The time of each test view, compared with its multiply-adds."""

    data: str
    """A folder with <class>/*.JPEG."""
    model: str = "ResNet18"
    """The name of a network."""
    photos: Count = 32
    rounds: Rounds = 3

    def measure(self) -> None:
        from keras_resnet.data.splits import Split
        from keras_resnet.weights import TORCH

        model = keras_resnet.build(find_spec(self.model))
        model.preprocessing = TORCH
        split = data.folder_split(self.data, "photos")[1]
        split = Split(split.name, min(self.photos, len(split)), split.read)
        views = {name: evaluation.View(name) for name in evaluation.VIEWS}
        seconds = {name: [] for name in views}
        for _ in range(1 + self.rounds):
            for name, view in views.items():
                start = time.perf_counter()
                evaluation.score(model, split, view)
                seconds[name].append(time.perf_counter() - start)
        times = {name: float(np.median(values[1:])) for name, values in seconds.items()}  # the first one traces
        work = {name: self._work(model, split, view) for name, view in views.items()}
        columns = (f"{self.model}, {len(split)} photos", "seconds", "of center", "multiply-adds of center")
        table = Table("views", columns)
        table.print_header()
        for name in views:
            ratios = (f"{quantity[name] / quantity['center']:.2f}" for quantity in (times, work))
            table.add(name, f"{times[name]:.1f}", *ratios)
        write_tables(self.json, [table])

    def _work(self, model, split, view) -> int:
        """The multiply-adds of a view for all photos."""
        from keras_resnet.analysis import multiply_adds

        size = evaluation.input_size(model)
        if view.name != "multi-scale":
            return len(split) * multiply_adds(model) * (10 if view.name == "10-crop" else 1)
        features = keras_resnet.build(model.spec, include_top=False)
        counts, total = {}, 0
        for position in range(len(split)):
            image = data.decoding.decode(split.read(position)[0])
            for side in view.sides(size, model.spec.stride):
                shape = tuple(evaluation.at_shorter_side(image, side).shape)
                counts[shape] = counts.get(shape) or multiply_adds(features, shape)
                total += counts[shape]
        return total
