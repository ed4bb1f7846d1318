"""Reading the photos of a detection data set: which of them decode, and all or a worker's share of them in order."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_resnet.data.parallel import AHEAD, parallel_map
from keras_resnet.data.pipelines import Shard
from keras_resnet.data.reading import Reader
from keras_resnet.data.scan import fetch_from, listed_images
from keras_resnet.detection.data.photos import DetectionData, Photo
from keras_resnet.errors import InputError
from keras_resnet.training.files.photo_lists import Listed, first_photos


def read_photos(data: DetectionData) -> Iterator[tuple[Photo, np.ndarray]]:
    """Each photo of ``data`` with its picture, uint8 ``[height, width, 3]``, decoded ahead.

    Raises:
        InputError: a photo that cannot be read or decoded; the message names it.
    """

    def refuse(position: int, error: InputError) -> None:
        raise error

    for position, picture in read_share(data, Shard(), refuse):
        assert picture is not None
        yield data.photos[position], picture


def read_share(
    data: DetectionData, shard: Shard, on_error: Callable[[int, InputError], None]
) -> Iterator[tuple[int, np.ndarray | None]]:
    """The position and picture of each photo in a worker's share of ``data``, which is spread evenly over it.

    The picture of a photo that cannot be read is None, after ``on_error`` was called with its position and the reason.
    """
    positions = tf.data.Dataset.range(shard.index, len(data), shard.workers)
    pictures = parallel_map(positions, data.picture).prefetch(AHEAD).as_numpy_iterator()
    for position in range(shard.index, len(data), shard.workers):
        picture = None
        try:
            picture = next(pictures)
        except tf.errors.OpError:
            on_error(position, _reason(data, position))
        yield position, picture


def missed(data: DetectionData, position: int, error: InputError) -> None:
    """An ``on_error`` of :func:`read_share` for validation in a run: counts the objects of the photo as missed."""
    data.reader.record_lost(position, error, "its objects count as missed")


def _reason(data: DetectionData, position: int) -> InputError:
    """Why the photo at ``position`` gave no picture."""
    try:
        data.reader.fetch(position)
    except InputError as reason:
        return reason
    return InputError(f"{data.photos[position].file} does not decode: repair the file or leave it out.")


def readable(data: DetectionData) -> np.ndarray | None:
    """The rows of the photo files that decode, as :func:`~keras_resnet.data.scan.listed_images` returns them.

    The other files are named. None for photos in records.
    """
    if data.in_records or not data.photos:
        return None
    return listed_images(_folder(data), [str(photo.file) for photo in data.photos])


def with_files(data: DetectionData, rows: np.ndarray | None) -> DetectionData:
    """``data`` with only the photos of ``rows``, decoded again if their files change; all of ``data`` if None."""
    if rows is None:
        return data
    folder, paths = _folder(data), _paths(data)
    row_by_path = {path: row for row, path in enumerate(rows["path"].tolist())}
    positions = [position for position, path in enumerate(paths) if path in row_by_path]
    fetch = fetch_from(folder, rows[[row_by_path[paths[position]] for position in positions]])
    part = data if len(positions) == len(data) else data.select(positions)
    return replace(part, reader=Reader(data.name, len(positions), fetch))


def as_begun(data: DetectionData, rows: np.ndarray | None, workdir: Path, part: str) -> DetectionData:
    """``data`` with the photos that the run in ``workdir`` began with.

    Args:
        data: the part as it is now.
        rows: of :func:`readable`.
        workdir: the run's folder, which this process has locked.
        part: ``"train"`` or ``"validation"``.

    Raises:
        InputError: the run began with a photo that ``data`` does not list.
    """
    if rows is None:
        return data
    return with_files(data, first_photos(workdir, part, rows, data.classes, Listed(_folder(data), _paths(data))))


def _paths(data: DetectionData) -> list[bytes]:
    """The photos' files below their common folder."""
    folder = _folder(data)
    return [os.fsencode(os.path.relpath(photo.file, folder)) for photo in data.photos]


def _folder(data: DetectionData) -> Path:
    return Path(os.path.commonpath([os.path.abspath(photo.file.parent) for photo in data.photos]))
