"""The photos of a detection data set as images: which can be read, all of them or a worker's share, in their order."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.pipelines import Shard
from keras_resnet.data.reading import Reader, read_regular
from keras_resnet.data.scan import fetch_from, listed_images
from keras_resnet.detection.data.photos import DetectionData, chosen
from keras_resnet.errors import InputError


def photos_of(data: DetectionData):
    """Each photo of ``data`` with its image, uint8 ``[height, width, 3]``, decoded ahead."""

    def refuse(place, error):
        raise error

    return ((data.photos[place], image) for place, image in pictures_of(data, Shard(), refuse))


def pictures_of(data: DetectionData, shard: Shard, lost: Callable[[int, InputError], None]):
    """The place and image of each photo of a worker's share of ``data``; all shares have photos from all over it.

    Of a photo that cannot be read ``lost`` is told the place and why, and the image is None.
    """
    places = tf.data.Dataset.range(shard.index, len(data), shard.workers)
    iterator = parallel_map(places, data.picture).prefetch(AHEAD).as_numpy_iterator()
    for place in range(shard.index, len(data), shard.workers):
        image = None
        try:
            image = next(iterator)
        except tf.errors.OpError:
            lost(place, _unreadable(data, place))
        yield place, image


def missed(data: DetectionData, place: int, error: InputError) -> None:
    """What :func:`pictures_of` is to do with a lost photo while a run goes on; without a reader ``error`` is raised."""
    if data.reader is None:
        raise error
    data.reader.note(place, error, "its objects count as missed")


def _unreadable(data: DetectionData, place: int) -> InputError:
    """Why the photo at ``place`` gave no picture."""
    try:
        (data.reader.fetch if data.reader is not None else lambda _: read_regular(data.photos[place].file))(place)
    except InputError as reason:
        return reason
    return InputError(f"{data.photos[place].file} does not decode: repair the file or leave it out.")


def first(data: DetectionData, count: int) -> DetectionData:
    """The first ``count`` photos of ``data``, also of its COCO annotations."""
    part = chosen(data, range(min(count, len(data))))
    return part if len(part) == len(data) else replace(part, name=f"first {len(part):,} of {data.name}")


def readable(data: DetectionData) -> np.ndarray | None:
    """The rows of the photo files of ``data`` that decode, the others named: :func:`listed_images`; None of records."""
    if data.encoded is not None or not data.photos:
        return None
    return listed_images(_folder(data), [str(photo.file) for photo in data.photos])


def with_files(data: DetectionData, rows: np.ndarray | None) -> DetectionData:
    """``data`` with the photo files of ``rows`` alone, which are read as :func:`fetch_from` does."""
    if rows is None:
        return data
    folder = _folder(data)
    row_of = {path: number for number, path in enumerate(rows["path"].tolist())}
    paths = [os.fsencode(os.path.relpath(photo.file, folder)) for photo in data.photos]
    kept = [place for place, path in enumerate(paths) if path in row_of]
    fetch = fetch_from(folder, rows[[row_of[paths[place]] for place in kept]])
    found = data if len(kept) == len(data) else chosen(data, kept)
    return replace(found, reader=Reader(data.name, len(kept), fetch))


def _folder(data: DetectionData) -> Path:
    return Path(os.path.commonpath([photo.file.parent for photo in data.photos]))
