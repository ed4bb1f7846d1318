"""TFRecord shards read by position: an index of the records gives random access, as to the files of a folder.

There is no shuffle buffer: an epoch is a permutation of the whole split, and can be entered at any position.
"""

import functools
import os
import resource
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from keras_resnet.data.cache import cache_folder, cached
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.reading import Reader, read_json
from keras_resnet.data.scan import stamp
from keras_resnet.data.splits import PARTS, Data, Split, fingerprint_of
from keras_resnet.errors import InputError, in_our_words
from keras_resnet.files import sha256_of

MANIFEST = "records.json"
HEADER = struct.Struct("<QI")  # a record: its length, a checksum of the length, the data, a checksum of the data
LENGTH_BYTES, FOOTER_BYTES = 8, 4
CRC_MASK = 0xA282EAD8
MAX_OPEN_FILES = 8192
OPENING = threading.Lock()  # so that two threads do not open the same shard
FEATURES = ("image/encoded", "image/class/label")  # as TensorFlow's ImageNet scripts name them; labels count from 0


def record_split(name: str, shards: list[Path], parse: Callable, first: int = 0, last: int | None = None) -> Split:
    """The split of records ``first`` to ``last`` of ``shards``, in the stored order.

    ``parse`` takes a record, a scalar string tensor, and returns the encoded image and its label. Each record's
    checksum is verified when it is read; a damaged record raises an :class:`InputError` that names its shard.
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
            content = os.pread(opened.descriptor, length + FOOTER_BYTES, start)
        except OSError as error:
            raise InputError(f"{paths[shard]} cannot be read: {error.strerror}.") from error
        record, checksum = content[:length], content[length:]
        if masked_crc(record) != int.from_bytes(checksum, "little"):
            raise InputError(
                f"{paths[shard]} is damaged, its record at byte {start} has a wrong checksum: copy it again."
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
        content=fingerprint_of([places[:, 2].tobytes()]),
    )


def masked_crc(data: bytes) -> int:
    """The CRC-32C checksum of ``data`` in the masked form that TFRecord files store."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + CRC_MASK) & 0xFFFFFFFF


class _Shard:
    """An open file that is closed when it is no longer referenced."""

    def __init__(self, path: str, changed: str):
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self):
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


@functools.cache
def _opener() -> Callable[[str, str], _Shard]:
    """A function from path and stamp to an open shard, which caches half as many files as the process may open.

    That limit is often 1,024, the number of ImageNet's shards in TFDS, and is raised as far as the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = max(soft, min(hard, MAX_OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return functools.lru_cache(maxsize=allowed // 2)(_Shard)


def record_index(shards: list[Path]) -> np.ndarray:
    """The shard, start in bytes and length of each record, int64 ``[records, 3]``; cached."""
    key = fingerprint_of(f"{path} {stamp(str(path))}" for path in shards)

    def places(shard):
        try:
            return list(_places(shard))
        except OSError as error:
            raise InputError(f"{shard} cannot be read: {error.strerror}.") from error

    def scan():
        rows = (np.array([(n, *place) for place in places(shard)], np.int64) for n, shard in enumerate(shards))
        return np.concatenate([array.reshape(-1, 3) for array in rows])

    name = f"records/{key}"
    with one_at_a_time(cache_folder() / name, f"indexing the records of {shards[0].parent}"):
        return cached(name, scan, record_index, _places)


def _places(shard: Path):
    size = os.path.getsize(shard)
    with open(shard, "rb") as file:
        at = 0
        while at < size:
            file.seek(at)
            header = file.read(HEADER.size)
            length, checksum = HEADER.unpack(header) if len(header) == HEADER.size else (size, None)
            if checksum is not None and masked_crc(header[:LENGTH_BYTES]) != checksum:
                raise InputError(f"{shard} is damaged: there is no record at byte {at}; write it again.")
            start = at + HEADER.size
            at = start + length + FOOTER_BYTES
            if at > size:
                raise InputError(f"{shard} is cut off: a record does not end in its {size} bytes; write it again.")
            yield start, length


def open_records(folder: Path, name: str) -> Data:
    """The data set that ``tools/make_records.py`` wrote into ``folder``; opening a part checks its shards."""
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

    stems = {key: stem for key, stem in PARTS.items() if manifest["splits"].get(stem)}
    return Data(name, classes, {key: functools.partial(part, stem) for key, stem in stems.items()})


def _parse(folder, classes, record):
    import tensorflow as tf

    image, label = FEATURES
    features = tf.io.parse_single_example(
        record, {image: tf.io.FixedLenFeature([], tf.string), label: tf.io.FixedLenFeature([], tf.int64)}
    )

    def refuse(number):
        raise InputError(f"{folder} has a record of class {number}, but only {classes} classes: make the shards again.")

    number = features[label]
    inside = tf.logical_and(number >= 0, number < classes)
    refused = functools.partial(tf.numpy_function, refuse, [number], tf.int64, stateful=False)
    return features[image], tf.ensure_shape(tf.cond(inside, lambda: number, refused), [])


def read_manifest(folder: Path) -> dict:
    """``records.json`` of ``folder``; raises :class:`InputError` if ``tools/make_records.py`` did not write it."""
    path = folder / MANIFEST
    manifest = read_json(path)
    if not _is_manifest(manifest):
        raise InputError(f"{path} is damaged, tools/make_records.py did not write it like this: make the shards again.")
    return manifest


def _has_fields(value: Any, types: dict[str, type]) -> bool:
    return isinstance(value, dict) and all(type(value.get(key)) is kind for key, kind in types.items())


def _is_manifest(value: Any) -> bool:
    return (
        _has_fields(value, {"classes": list, "complete": bool, "splits": dict})
        and len(value["classes"]) > 0
        and all(isinstance(name, str) for name in value["classes"])
        and value["splits"].keys() <= set(PARTS.values())
        and all(isinstance(shards, list) and all(map(_is_shard, shards)) for shards in value["splits"].values())
    )


def _is_shard(value: Any) -> bool:
    return (
        _has_fields(value, {"file": str, "examples": int, "bytes": int, "sha256": str})
        and Path(value["file"]).name == value["file"]
        and "\0" not in value["file"]
    )


def write_shard(path: Path, split: Split, positions: np.ndarray) -> dict:
    """Write the examples at ``positions`` of ``split`` as ``path``, whole or not at all; return its manifest entry."""
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
