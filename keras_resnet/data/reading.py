"""Reading photos by position; in training the next readable photo replaces a lost one, which is named and counted."""

import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

FilePath: TypeAlias = str | os.PathLike[str]

MAX_LOST_SHARE = 0.01  # of a part
MAX_ATTEMPTS = 100  # consecutive photos


class Reader:
    """Reads the photos of a part of a data set by position.

    Args:
        name: of the part.
        size: the number of positions.
        fetch: from a position to the bytes of its photo; raises :class:`InputError` if they cannot be used.

    Attributes:
        lost: the positions that could not be read when their turn came in training, with the error of each.
    """

    def __init__(self, name: str, size: int, fetch: Callable[[int], bytes]):
        self.name, self.size, self.fetch = name, size, fetch
        self.lost: dict[int, InputError] = {}
        self._lock = threading.Lock()

    def among(self, positions: Sequence[int]) -> "Reader":
        """A reader of ``positions`` alone; photos it loses are counted by this reader."""
        part = Reader(self.name, len(positions), lambda position: self.fetch(positions[position]))
        part.lost = self.lost
        part.record_lost = lambda position, *rest: self.record_lost(positions[position], *rest)  # type: ignore[method-assign]
        return part

    def read(self, position: Tensor) -> Tensor:
        """The bytes at ``position``, a scalar int64 tensor, as a scalar string tensor.

        Raises:
            InputError: they cannot be used. In a pipeline TensorFlow wraps the error, see
                :func:`keras_resnet.errors.in_our_words`.
        """
        import tensorflow as tf

        return tf.ensure_shape(tf.numpy_function(self.fetch, [position], tf.string, stateful=False), [])

    def read_whole(self, place: Tensor, order: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """For training: the bytes of the first readable photo from ``place`` on, and its own place.

        Places are indices into ``order``, the positions that are trained on, or all positions if it is None. After the
        last place comes the first. So a replacement depends only on the place and on which photos are damaged, and a
        continued run gets the same one.

        Raises:
            InputError: a hundred consecutive photos cannot be read.
        """
        import tensorflow as tf

        order = range(self.size) if order is None else order

        def first_readable(place):
            for number in range(place, place + min(len(order), MAX_ATTEMPTS)):
                used = number % len(order)
                try:
                    return self.fetch(order[used]), used
                except InputError as error:
                    self.record_lost(order[used], error, "the next readable photo replaces it")
            raise InputError(self._too_many())

        encoded, used = tf.numpy_function(first_readable, [place], (tf.string, tf.int64), stateful=False)
        return tf.ensure_shape(encoded, []), tf.ensure_shape(used, [])

    def check(self) -> None:
        """Raise :class:`InputError` if training has lost more than 1 % of the part."""
        if len(self.lost) > MAX_LOST_SHARE * self.size:
            raise InputError(self._too_many())

    def record_lost(self, position: int, error: InputError, instead: str) -> None:
        """Count and report, once, a photo that could not be read, and what happens ``instead``."""
        with self._lock:
            if position in self.lost:
                return
            self.lost[position] = error
            print(
                f"{error} In {self.name} {instead}; {len(self.lost):,} of {self.size:,} are lost, and above "
                f"{MAX_LOST_SHARE:.0%} training stops.",
                file=sys.stderr,
                flush=True,
            )

    def _too_many(self) -> str:
        return (
            f"{next(iter(self.lost.values()))} In all, {len(self.lost):,} of the {self.size:,} photos of {self.name} "
            f"are lost, more than {MAX_LOST_SHARE:.0%}: put them back, then run the same command again."
        )


def read_regular(path: FilePath) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a file, and its size and its modification time in nanoseconds.

    Raises:
        InputError: it cannot be read, or is not a regular file; reading a pipe, for example, could block forever.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                return file.read(), (status.st_size, status.st_mtime_ns)
    except (OSError, ValueError) as error:  # ValueError for a name with a zero byte
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    raise InputError(f"{path} is not a regular file.")


def list_folder(folder: FilePath) -> list[tuple[str, bool]]:
    """The sorted names in a folder, and whether each is a folder itself, even one that may not be entered.

    Raises:
        InputError: it is missing or cannot be read.
    """

    def is_folder(entry):  # known without a request to the file system, except for links
        return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))

    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name, is_folder(entry)) for entry in entries)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be read ({error.strerror}): check its path and its permissions."
        ) from error


def read_text(path: FilePath) -> str:
    """The text of a UTF-8 file; raises :class:`InputError` if it cannot be read or is not UTF-8."""
    try:
        return read_regular(path)[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start:,} is invalid): write it again.") from error


def read_json(path: FilePath, **options: Any) -> Any:
    """The content of a JSON file; ``options`` are those of ``json.loads``.

    Raises:
        InputError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(path), **options)
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply: give a file of the expected format.") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file: {str(error)[:200]}.") from error
