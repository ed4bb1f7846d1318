"""TFRecord shards read by position: an index of where each record lies makes them as random as a folder.

There is no shuffle buffer: an epoch is a permutation of the whole split, and any place of it is reached at once.
"""

import functools
import hashlib
import os
import resource
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import numpy as np

from keras_resnet.data.cache import cache_folder, kept
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.reading import Reader, read_json
from keras_resnet.data.scan import stamp
from keras_resnet.data.splits import Data, Split, fingerprint_of
from keras_resnet.errors import InputError, in_our_words

MANIFEST = "records.json"
HEADER = struct.Struct("<QI")  # a record: its length, a checksum of the length, the data, a checksum of the data
LENGTH_BYTES, FOOTER_BYTES = 8, 4
CRC_MASK = 0xA282EAD8
MOST_OPEN = 8192
OPENING = threading.Lock()  # two threads that want a shard open it once
PARTS = {"train": "train", "validation": "val", "test": "test"}
FEATURES = ("image/encoded", "image/class/label")  # the names TensorFlow's ImageNet scripts use; labels count from 0


def record_split(name: str, shards: list[Path], parse: Callable, first: int = 0, last: int | None = None) -> Split:
    """The records ``first`` to ``last`` of ``shards``, in the stored order.

    ``parse`` takes a record, a scalar string tensor, to the encoded image and its label. Each record's checksum is
    verified as it is read: a damaged one raises :class:`InputError`, naming its shard.
    """
    import tensorflow as tf

    index = record_index(shards)
    places = index[first:last]
    paths = [str(path) for path in shards]
    stamps = [stamp(path) for path in paths]

    def fetch(position):
        shard, start, length = places[position]
        try:
            with OPENING:
                opened = _opener()(paths[shard], stamps[shard])
            found = os.pread(opened.descriptor, length + FOOTER_BYTES, start)
        except OSError as error:
            raise InputError(f"{paths[shard]} cannot be read: {error.strerror}.") from error
        record, checksum = found[:length], found[length:]
        if masked_crc(record) != int.from_bytes(checksum, "little"):
            raise InputError(
                f"{paths[shard]} is damaged, its record at byte {start} has another checksum: copy it again."
            )
        return record

    def parsed(record):
        encoded, label = parse(record)
        return encoded, tf.cast(label, tf.int32)

    reader = Reader(name, len(places), fetch)
    files = [f"{path} {changed}" for path, changed in zip(paths, stamps, strict=True)]
    return Split(
        name,
        len(places),
        lambda position: parsed(reader.read(position)),
        fingerprint_of([*files, str(first), str(last)]),
        read_whole=lambda position: parsed(reader.read_whole(position)[0]),
        reader=reader,
    )


def masked_crc(data: bytes) -> int:
    """The checksum of ``data``, CRC-32C, as TFRecord files store it."""
    found = google_crc32c.value(data)
    return ((found >> 15 | found << 17) + CRC_MASK) & 0xFFFFFFFF


class _Shard:
    """An open file, closed when nobody reads it any more."""

    def __init__(self, path: str, changed: str):
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self):
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


@functools.cache
def _opener() -> Callable[[str, str], _Shard]:
    """Opens a shard, given its path and stamp, or gives the open one; in all half the files that a process may open.

    That limit is often 1,024, as many as ImageNet's shards in TFDS: it is raised as far as the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, min(hard, MOST_OPEN))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return functools.lru_cache(maxsize=allowed // 2)(_Shard)


def record_index(shards: list[Path]) -> np.ndarray:
    """int64 ``[records, 3]``: shard, start in bytes and length of each record; kept in the cache folder."""
    key = fingerprint_of(f"{path} {stamp(str(path))}" for path in shards)

    def places(shard):
        try:
            return list(_places(shard))
        except OSError as error:
            raise InputError(f"{shard} cannot be read: {error.strerror}.") from error

    def scan():
        each = (np.array([(n, *place) for place in places(shard)], np.int64) for n, shard in enumerate(shards))
        return np.concatenate([found.reshape(-1, 3) for found in each])

    name = f"records/{key}"
    with one_at_a_time(cache_folder() / name, f"indexing the records of {shards[0].parent}"):
        return kept(name, scan, record_index, _places)


def _places(shard: Path):
    size = os.path.getsize(shard)
    with open(shard, "rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            header = file.read(HEADER.size)
            length, checksum = HEADER.unpack(header) if len(header) == HEADER.size else (size, None)
            if checksum is not None and masked_crc(header[:LENGTH_BYTES]) != checksum:
                raise InputError(f"{shard} is damaged: at byte {at} there is no record; write it again.")
            start = at + HEADER.size
            at = start + length + FOOTER_BYTES
            if at > size:
                raise InputError(f"{shard} is cut off: a record does not end in its {size} bytes; write it again.")
            yield start, length


def open_records(folder: Path, name: str) -> Data:
    """The data set that ``tools/make_records.py`` wrote into ``folder``; the shards of a part are checked with it."""
    manifest = read_manifest(folder)
    if not manifest["complete"]:
        raise InputError(f"{folder} is not finished: run the same tools/make_records.py command again.")
    for stem in ("train", "val"):
        if not manifest["splits"].get(stem):
            raise InputError(f"{folder / MANIFEST} lists no shards of the part {stem}: make the shards again.")
    classes = tuple(manifest["classes"])

    def part(stem):
        shards = manifest["splits"][stem]
        for shard in shards:
            path = folder / shard["file"]
            if not os.path.isfile(path) or path.stat().st_size != shard["bytes"]:
                raise InputError(f"{path} is missing or not of {shard['bytes']} bytes: copy or make the shards again.")
        parse = functools.partial(_parse, folder, len(classes))
        split = record_split(stem, [folder / shard["file"] for shard in shards], parse)
        if not len(split):
            raise InputError(f"The shards of the part {stem} in {folder} hold no records: make the shards again.")
        return split

    there = {key: stem for key, stem in PARTS.items() if manifest["splits"].get(stem)}
    return Data(name, classes, {key: functools.partial(part, stem) for key, stem in there.items()})


def _parse(folder, classes, record):
    import tensorflow as tf

    image, label = FEATURES
    found = tf.io.parse_single_example(
        record, {image: tf.io.FixedLenFeature([], tf.string), label: tf.io.FixedLenFeature([], tf.int64)}
    )

    def refuse(number):
        raise InputError(f"{folder} has a record of the class {number}, and {classes} classes: make the shards again.")

    number = found[label]
    inside = tf.logical_and(number >= 0, number < classes)
    refused = functools.partial(tf.numpy_function, refuse, [number], tf.int64, stateful=False)
    return found[image], tf.ensure_shape(tf.cond(inside, lambda: number, refused), [])


def read_manifest(folder: Path) -> dict:
    """``records.json`` of ``folder``; raises :class:`InputError` if ``tools/make_records.py`` did not write it."""
    path = folder / MANIFEST
    manifest = read_json(path)
    if not _is_manifest(manifest):
        raise InputError(f"{path} is damaged, it is not as tools/make_records.py writes it: make the shards again.")
    return manifest


def _is_manifest(found) -> bool:
    kinds = {"classes": list, "complete": bool, "splits": dict}
    if not isinstance(found, dict) or not all(type(found.get(key)) is kind for key, kind in kinds.items()):
        return False
    lists = found["splits"].values()
    return (
        len(found["classes"]) > 0
        and all(isinstance(name, str) for name in found["classes"])
        and found["splits"].keys() <= set(PARTS.values())
        and all(isinstance(shards, list) and all(map(_is_shard, shards)) for shards in lists)
    )


def _is_shard(found) -> bool:
    kinds = {"file": str, "examples": int, "bytes": int, "sha256": str}
    return (
        isinstance(found, dict)
        and all(type(found.get(key)) is kind for key, kind in kinds.items())
        and Path(found["file"]).name == found["file"]
        and "\0" not in found["file"]
    )


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_shard(path: Path, split: Split, positions: np.ndarray) -> dict:
    """Write the examples at ``positions`` of ``split`` as ``path``, whole or not at all; returns its manifest entry."""
    import tensorflow as tf

    from keras_resnet.data.parallel import parallel_map

    image_name, label_name = FEATURES
    part = path.with_name(f"part-{path.name}")
    examples = parallel_map(tf.data.Dataset.from_tensor_slices(positions), split.read)
    with in_our_words(), tf.io.TFRecordWriter(str(part)) as writer:
        for encoded, label in examples.as_numpy_iterator():
            features = {
                image_name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
                label_name: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(label)])),
            }
            writer.write(
                tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)
            )
    entry = {"file": path.name, "examples": len(positions), "bytes": part.stat().st_size, "sha256": sha256_of(part)}
    with open(part, "rb") as file:
        os.fsync(file.fileno())
    os.replace(part, path)
    return entry
