"""Speed of the input: the training pipeline, folders of many files, and records."""

import io
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmark_turns import Benchmark, Rounds, Seconds, alternate
from PIL import Image

from keras_resnet import data
from keras_resnet.bounds import Count, Pixels
from keras_resnet.data import records
from keras_resnet.data.splits import Split
from keras_resnet.tables import Table, write_tables
from keras_resnet.weights import Preprocessing

OPEN = """
import resource, sys, time
import tensorflow, keras_resnet.training
from keras_resnet.data import open_data
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
count = len(open_data(sys.argv[1]).train)
seconds = time.perf_counter() - start
print(count, seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@dataclass(frozen=True)
class Input(Benchmark):
    """Images/s of the ImageNet training pipeline, without a network."""

    data: str
    """A folder with <class>/*.JPEG."""
    rounds: Rounds = 5
    seconds: Seconds = 4.0
    image_size: Pixels = 224
    batch_size: Count = 64
    shorter_side: Pixels = 512
    """One contestant reads photos reduced to this shorter side, as make_records.py --shorter-side does."""

    def measure(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._measure(data.folder_split(self.data, "train")[1], Path(folder))

    def _measure(self, split: Split, folder: Path) -> None:
        preprocessing = Preprocessing(np.zeros(3))
        view = data.ImageNetView(preprocessing, self.image_size)

        def naive(position, seed):
            encoded, label = split.read(position)
            return preprocessing(naive_training_view(encoded, seed, self.image_size)), label

        def crop_first(split):
            return data.imagenet_batches(split, view, self.batch_size, seed=0)

        differences = [self._write_smaller(split, position, folder) for position in range(len(split))]
        pipelines = {
            "crop first": crop_first(split),
            f"crop first, shorter side {self.shorter_side}": crop_first(data.folder_split(str(folder), "train")[1]),
            "decode, resize, crop": data.training_batches(naive, len(split), self.batch_size, 0, 0),
        }
        measured = {name: [] for name in pipelines}
        for _ in range(self.rounds):
            for name, pipeline in pipelines.items():
                measured[name].append(self._rate(pipeline))
        rates = {name: float(np.median(values)) for name, values in measured.items()}
        table = Table("input", ("pipeline", "images/s", "images/s per core", "ratio"))
        table.print_header()
        for name, rate in rates.items():
            table.add(name, f"{rate:.0f}", f"{rate / os.cpu_count():.0f}", f"{rates['crop first'] / rate:.2f}")
        changed = [difference for difference in differences if difference is not None]
        columns = (f"photos above shorter side {self.shorter_side}", "of", "mean difference of a crop, of 255")
        crops = Table("crops", columns)
        crops.print_header()
        crops.add(len(changed), len(split), f"{np.mean(changed):.2f}" if changed else "")
        write_tables(self.json, [table, crops])

    def _write_smaller(self, split: Split, position: int, folder: Path) -> float | None:
        """Write a photo at the shorter side, and return the mean difference of a crop; None if the file is the same."""
        encoded, label = split.read(position)
        smaller = data.decoding.at_most(encoded, self.shorter_side)
        path = folder / f"{int(label):04}" / f"{position}.JPEG"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(smaller.numpy())
        if smaller.numpy() == encoded.numpy():
            return None
        crops = [data.augment.scale_crop_flip(file, [0, position], self.image_size) for file in (encoded, smaller)]
        return float(np.abs(crops[0] - crops[1]).mean())

    def _rate(self, pipeline) -> float:
        """Images/s of the running pipeline, without its start and the batches that it prepares in advance."""
        from keras_resnet.data.parallel import AHEAD  # which imports TensorFlow

        batches = iter(pipeline)  # a new one for each turn: an idle iterator would go on preparing batches
        for _ in range(1 + AHEAD):
            next(batches)
        start, count, seconds = time.perf_counter(), 0, 0.0
        while seconds < self.seconds:
            next(batches)
            count, seconds = count + self.batch_size, time.perf_counter() - start
        return count / seconds


def naive_training_view(encoded, seed, size: int):
    """The same augmentation in the obvious order: decode all, resize all, crop, flip, colour."""
    import tensorflow as tf

    image = tf.cast(data.decoding.decode(encoded), tf.float32)
    extent = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = tf.random.stateless_uniform([], data.augment.fold(seed, 0), *data.augment.SCALES)
    target = tf.cast(tf.round(extent * scale * size / tf.reduce_min(extent)), tf.int32)
    image = tf.image.resize(image, tf.maximum(target, size), antialias=True)
    crop = tf.image.stateless_random_crop(image, [size, size, 3], data.augment.fold(seed, 1))
    return data.augment.flip(crop, data.augment.fold(seed, 3)) + data.augment.colour_shift(data.augment.fold(seed, 4))


@dataclass(frozen=True)
class Files(Benchmark):
    """Seconds and memory to open a folder of small photos in a new process, without and then with a stored scan."""

    files: Count = 200_000
    """How many photos."""
    classes: Count = 1000

    def measure(self) -> None:
        title = f"{self.files:,} photos in {self.classes:,} classes"
        table = Table("files", (title, "s", "s for a million", "MiB above the imports"))
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "photos"
            self._write(folder)
            table.print_header()
            for name in ("first start", "second start"):
                environment = os.environ | {"XDG_CACHE_HOME": f"{parent}/cache"}
                command = [sys.executable, "-P", "-c", OPEN, str(folder)]
                completed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                count, seconds, memory = map(float, completed.stdout.splitlines()[-1].split())
                if count != self.files:
                    raise RuntimeError(f"{count} of {self.files} photos were found")
                table.add(name, f"{seconds:.1f}", f"{1e6 * seconds / self.files:.0f}", f"{memory:.0f}")
        write_tables(self.json, [table])

    def _write(self, folder: Path) -> None:
        """Write different photos of 16 x 16 pixels, for training and one of each class for validation."""
        rng = np.random.default_rng(0)
        for part, count in (("train", self.files), ("val", self.classes)):
            for number in range(count):
                encoded = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(encoded, "JPEG")
                path = folder / f"{part}/{number % self.classes:04}/{number}.JPEG"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encoded.getvalue())


@dataclass(frozen=True)
class Records(Benchmark):
    """Processor time of reading records at random positions, and of verifying their checksums."""

    records: Count = 2000
    kilobytes: Count = 115
    """Size of a record; ImageNet's photos have 115 on average."""
    rounds: Rounds = 7
    seconds: Seconds = 3.0

    def measure(self) -> None:
        import tensorflow as tf

        def parse(record):
            image, label = records.FEATURES
            features = {image: tf.io.FixedLenFeature([], tf.string), label: tf.io.FixedLenFeature([], tf.int64)}
            values = tf.io.parse_single_example(record, features)
            return values[image], values[label]

        rng = np.random.default_rng(0)
        photos = rng.integers(0, 256, (64, 1000 * self.kilobytes), np.uint8)
        stored = tf.constant([photo.tobytes() for photo in photos])
        split = Split("train", self.records, lambda position: (tf.gather(stored, position % 64), 0), "random")
        with tempfile.TemporaryDirectory() as folder:
            shard = Path(folder) / "train-00000.tfrecord"
            records.write_shard(shard, split, np.arange(self.records))
            read = records.record_split("train", [shard], parse).read
            positions = rng.permutation(self.records)

            def consume():
                reading = tf.data.Dataset.from_tensor_slices(positions).map(read, num_parallel_calls=os.cpu_count())
                for _ in reading.batch(64):
                    pass

            checked = [photos[number % 64].tobytes() for number in range(self.records)]
            turns = {"read": consume, "checksums alone": lambda: [records.masked_crc(record) for record in checked]}
            rates = alternate(turns, self.records, self.rounds, self.seconds, time.process_time)
        table = Table("records", (f"records of {self.kilobytes} kB", "records a CPU second", "share of reading"))
        table.print_header()
        for name, rate in rates.items():
            table.add(name, f"{rate:,.0f}", f"{rates['read'] / rate:.1%}")
        write_tables(self.json, [table])
