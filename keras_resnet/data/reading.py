"""Photos by position; one that can no longer be read is named and counted, and the next whole one stands in for it."""

import json
import os
import stat
import sys
import threading
from collections.abc import Callable, Sequence

from keras_resnet.errors import InputError

MOST_LOST = 0.01  # of a part
MOST_TRIED = 100  # photos in a row


class Reader:
    """Reads what lies at a position of a part of a data set.

    Args:
        name: of the part.
        size: how many positions there are.
        fetch: takes a position to the bytes there; raises :class:`InputError` for those that cannot be used.

    Attributes:
        lost: the positions that could not be read when their turn came in training, and why not.
    """

    def __init__(self, name: str, size: int, fetch: Callable[[int], bytes]):
        self.name, self.size, self.fetch = name, size, fetch
        self.lost: dict[int, InputError] = {}
        self._lock = threading.Lock()

    def among(self, positions: Sequence[int]) -> "Reader":
        """What reads ``positions`` of these alone; what it loses is counted here."""
        part = Reader(self.name, len(positions), lambda position: self.fetch(positions[position]))
        part.lost = self.lost
        part.note = lambda position, *what: self.note(positions[position], *what)  # type: ignore[method-assign]
        return part

    def read(self, position):
        """The bytes at ``position``, a scalar int64 tensor, as a scalar string tensor.

        Where they cannot be used :class:`InputError` is raised, which TensorFlow wraps in a pipeline (see
        :func:`keras_resnet.errors.in_our_words`).
        """
        import tensorflow as tf

        return tf.ensure_shape(tf.numpy_function(self.fetch, [position], tf.string, stateful=False), [])

    def read_whole(self, place, order: Sequence[int] | None = None):
        """The same in training, of the first position from ``place`` on that can be read, and its place.

        Places are those in ``order``, which has the positions that are trained on; None for all. The last place is
        followed by the first. So what stands in for an example depends on nothing but its place and on what is damaged,
        and a continued run takes the same.
        """
        import tensorflow as tf

        found, used = tf.numpy_function(
            lambda number: self.first_whole(number, order), [place], (tf.string, tf.int64), stateful=False
        )
        return tf.ensure_shape(found, []), tf.ensure_shape(used, [])

    def first_whole(self, place: int, order: Sequence[int] | None = None) -> tuple[bytes, int]:
        """As :meth:`read_whole`, of numbers.

        Raises:
            InputError: a hundred positions in a row cannot be read.
        """
        order = range(self.size) if order is None else order
        for number in range(place, place + min(len(order), MOST_TRIED)):
            at = number % len(order)
            try:
                return self.fetch(order[at]), at
            except InputError as error:
                self.note(order[at], error, "the next whole photo stands in for it")
        raise InputError(self._too_many())

    def check(self) -> None:
        """Raise :class:`InputError` if more than 1 % of the part were lost in training."""
        if len(self.lost) > MOST_LOST * self.size:
            raise InputError(self._too_many())

    def note(self, position: int, error: InputError, instead: str) -> None:
        """Count and name, once, what could not be read, saying what is done ``instead``."""
        with self._lock:
            if position in self.lost:
                return
            self.lost[position] = error
            print(
                f"{error} In {self.name} {instead}; {len(self.lost):,} of {self.size:,} are lost, and above "
                f"{MOST_LOST:.0%} training stops.",
                file=sys.stderr,
                flush=True,
            )

    def _too_many(self) -> str:
        return (
            f"{next(iter(self.lost.values()))} So {len(self.lost):,} of the {self.size:,} photos of {self.name} are "
            f"lost, more than {MOST_LOST:.0%}: put them back, then run the same command again."
        )


def read_regular(path) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a file, and its size and its time of modification in nanoseconds.

    Raises:
        InputError: it cannot be read, or is no regular file; a pipe, say, would be waited for without end.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode):
                return file.read(), (found.st_size, found.st_mtime_ns)
    except (OSError, ValueError) as error:  # the latter for a name with a zero byte
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    raise InputError(f"{path} is not a regular file.")


def entries_of(folder) -> list[tuple[str, bool]]:
    """The names in a folder in order, and whether each is a folder too, also one that is closed.

    Raises:
        InputError: it is missing or cannot be read.
    """

    def is_folder(entry):  # known without a look at the file, but for links
        return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))

    try:
        with os.scandir(folder) as found:
            return sorted((entry.name, is_folder(entry)) for entry in found)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be read ({error.strerror}): check its path and its permissions."
        ) from error


def read_text(path) -> str:
    """The text of a UTF-8 file; raises :class:`InputError` for one that cannot be read or is not UTF-8."""
    try:
        return read_regular(path)[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text (its byte {error.start:,} is not): write it again.") from error


def read_json(path, **options):
    """What a JSON file holds; ``options`` are those of ``json.loads``.

    Raises:
        InputError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(path), **options)
    except RecursionError as error:
        raise InputError(f"{path} is nested too deeply: give a file of the format asked for.") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{path} is no JSON file: {str(error)[:200]}.") from error
