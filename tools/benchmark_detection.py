"""Speed of detection: the cost of proposals and regions in a training step, and an image against its multiply-adds."""

import resource
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from benchmark_turns import Benchmark, Rounds

import keras_resnet
from keras_resnet.bounds import Count, Length, Pixels
from keras_resnet.detection.detector_specs import HeadName
from keras_resnet.specs import find_spec
from keras_resnet.tables import Table, write_tables

OBJECTS = 8
MORE_IMAGES = 2  # in a step, to measure the memory of one
TOGETHER = "proposals with suppression, and RoI align"


@dataclass(frozen=True)
class Detect(Benchmark):
    """Faster R-CNN on ResNet-50 at 600 x 1000 pixels: the parts of a training step, and detection in one image."""

    model: str = "ResNet50"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    height: Pixels = 600
    width: Pixels = 1000
    classes: Count = 80
    rounds: Rounds = 5
    """How often each part is measured; medians are compared."""

    head: Annotated[tuple[HeadName, ...], Length(1, 2)] = ("c4",)
    """The heads, which take turns; memory is measured of one alone."""

    def measure(self) -> None:
        import keras

        keras.config.set_dtype_policy(self.precision)
        contestants = {head: self._contestant(head) for head in self.head}
        clocks = (time.perf_counter, time.process_time)
        seconds = {head: {name: [] for name in turns} for head, (_, _, turns) in contestants.items()}
        for _ in range(1 + self.rounds):
            for head, (_, _, turns) in contestants.items():
                for name, turn in turns.items():
                    start = [clock() for clock in clocks]
                    turn()
                    seconds[head][name].append(np.subtract([clock() for clock in clocks], start))
        times = {  # wall and processor seconds; the first turn compiles
            head: {name: np.median(values[1:], axis=0) for name, values in turns.items()}
            for head, turns in seconds.items()
        }
        tables = []
        for head, (model, memory, _) in contestants.items():
            tables += self._tables(head, model, {name: float(wall) for name, (wall, _) in times[head].items()}, memory)
        if len(self.head) > 1:
            tables.append(self._heads(times))
        write_tables(self.json, tables, precision=self.precision)

    def _contestant(self, head: HeadName):
        """The detector, the MiB of one more image in a step, and functions that do the parts to be timed."""
        import keras
        import tensorflow as tf

        from keras_resnet.detection import Detector, FasterRCNN, ImageSize
        from keras_resnet.detection.faster_rcnn import TRAINING_PROPOSALS
        from keras_resnet.detection.level_pooling import pool_from_levels
        from keras_resnet.detection.sampling import sample_anchors, sample_regions
        from keras_resnet.training import SGD

        keras.utils.set_random_seed(0)
        network = keras_resnet.build(find_spec(self.model), input_shape=(None, None, 3), include_top=False)
        model = FasterRCNN(network, self.classes, image_size=ImageSize(self.height, self.width), head=head)
        # Random offsets would make all boxes alike, and suppression too easy.
        deltas = model.rpn.get_layer("rpn_deltas")
        deltas.kernel.assign(tf.zeros_like(deltas.kernel))
        model.compile(SGD(1e-9))  # the weights should hardly change
        batch = self._batch()
        step = model._function(model.train_step)
        forever = iter(tf.data.Dataset.from_tensors(batch).repeat())
        images, extents, boxes, object_status, classes, _ = batch
        features = tf.nest.flatten(model.shared(images))
        anchors = model.anchor_scores(features)[0]
        regions, _, valid = model.propose(features, extents, TRAINING_PROPOSALS)
        draws = tf.random.uniform([1, tf.shape(anchors)[0]]), tf.random.uniform([1, TRAINING_PROPOSALS[1] + OBJECTS])
        chosen = sample_regions(regions, valid, boxes, object_status, classes, draws[1])[0]

        @tf.function(autograph=False)
        def proposals():
            return model.propose(features, extents, TRAINING_PROPOSALS)

        @tf.function(autograph=False)
        def samples():
            sampled_anchors = sample_anchors(anchors, boxes, object_status, extents, draws[0])
            return sampled_anchors, sample_regions(regions, valid, boxes, object_status, classes, draws[1])

        @tf.function(autograph=False)
        def align():
            maps, strides = features[: model.pooled_maps], model.strides[: model.pooled_maps]
            with tf.GradientTape() as tape:
                tape.watch(maps)
                pooled = pool_from_levels(model.pool, maps, chosen, strides, model.size)
            return pooled, tape.gradient(pooled, maps, output_gradients=tf.ones_like(pooled))

        @tf.function(autograph=False)
        def rpn_alone():
            return model.anchor_scores(features)

        @tf.function(autograph=False)
        def shared():
            return model.shared(images)

        detector = Detector([model])
        photo = np.random.default_rng(0).integers(0, 256, (self.height, self.width, 3)).astype(np.uint8)
        memory = self._memory(model, batch) if len(self.head) == 1 else None  # the peak is the process's
        turns = {"training step": lambda: step(forever)}
        turns |= {"proposals": proposals, "of them the RPN's convolutions": rpn_alone, "sampling": samples}
        turns["RoI align, forward and backward"] = align
        turns |= {"shared layers": shared, "one image": lambda: detector(photo)}
        return model, memory, turns

    def _tables(self, head: HeadName, model, times: dict[str, float], memory: float | None) -> list[Table]:
        """The parts of a training step, and the time of one image."""
        name = "" if head == "c4" else f"-{head}"
        whole = times["training step"]
        print(f"{self.model}, {head}, {self.height} x {self.width}, {self.precision}, one image a step, 128 regions")
        step_table = Table(f"step{name}", ("part of a training step", "seconds", "of the step"))
        step_table.print_header()
        parts = times["proposals"] - times["of them the RPN's convolutions"] + times["RoI align, forward and backward"]
        for part, value in [*list(times.items())[:5], (TOGETHER, parts)]:
            step_table.add(part, f"{value:.3f}", f"{100 * value / whole:.1f} %")
        print()
        image_table = Table(f"image{name}", ("one image", "value"))
        image_table.print_header()
        if memory is not None:
            image_table.add("memory that one more image takes in a training step, MiB", f"{memory:,.0f}")
        for part, value in self._comparison(model, times).items():
            image_table.add(part, value)
        print()
        return [step_table, image_table]

    def _heads(self, times: dict[HeadName, dict[str, np.ndarray]]) -> Table:
        """The heads beside each other, in processor seconds, which exclude the time of other processes."""
        columns = ("a training step, processor s", "speed", "one image, processor s", "speed of it")
        table = Table("heads", ("head", *columns))
        table.print_header()
        for head, parts in times.items():
            cells = []
            for part in ("training step", "one image"):
                cells += [f"{parts[part][1]:.2f}", f"{times[self.head[0]][part][1] / parts[part][1]:.2f}"]
            table.add(head, *cells)
        return table

    def _batch(self):
        import tensorflow as tf

        rng = np.random.default_rng(0)
        corner = rng.uniform(0, 0.6, (1, OBJECTS, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(0.1, 0.4, corner.shape)], axis=2)
        boxes *= np.tile([self.width, self.height], 2)
        return (
            tf.constant(rng.normal(0, 50, (1, self.height, self.width, 3)), tf.float32),
            tf.constant([[self.width, self.height]], tf.float32),
            tf.constant(boxes, tf.float32),
            tf.ones([1, OBJECTS], tf.int32),
            tf.constant(rng.integers(0, self.classes, (1, OBJECTS)), tf.int32),
            tf.zeros([1, 2], tf.int64),
        )

    def _memory(self, model, batch) -> float:
        """The MiB by which each additional image in a training step raises the peak."""
        import tensorflow as tf

        peaks = []
        for count in (1, 1 + MORE_IMAGES):
            step = model._function(model.train_step)
            whole = [tf.repeat(part, count, axis=0) for part in batch]
            images = iter(tf.data.Dataset.from_tensors(tuple(whole)).repeat())
            step(images)
            step(images)
            peaks.append(_peak())
        return (peaks[1] - peaks[0]) / MORE_IMAGES

    def _comparison(self, model, times) -> dict[str, str]:
        """The time of one image against that of its multiply-adds at the rate of the shared layers."""
        import tensorflow as tf

        from keras_resnet.analysis import multiply_adds
        from keras_resnet.detection.faster_rcnn import TEST_PROPOSALS

        shared = multiply_adds(model.shared, (self.height, self.width, 3))
        maps = tf.nest.flatten(model.shared(tf.zeros([1, self.height, self.width, 3])))
        rpn = sum(multiply_adds(model.rpn, tuple(level.shape[1:])) for level in maps)
        region = multiply_adds(model.head, (model.size, model.size, maps[0].shape[-1]))
        work = shared + rpn + (TEST_PROPOSALS[1] + 1) * region
        rate = shared / times["shared layers"]
        expected = work / rate
        return {
            f"detection, s, of {work / 1e9:.0f}e9 multiply-adds": f"{times['one image']:.3f}",
            f"the same at the shared layers' {rate / 1e9:.0f}e9 a second, s": f"{expected:.3f}",
            "ratio": f"{times['one image'] / expected:.3g}",
        }


def _peak() -> float:
    """The peak resident memory of this process, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
