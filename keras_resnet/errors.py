"""The exception for mistakes that the user can correct, and how its messages are put together."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST_SHOWN = 200  # characters of a wrong value
LOST_WORKER = "Collective ops is aborted"  # in TensorFlow's error on the workers that remain


class InputError(ValueError):
    """A wrong argument, file, folder or setting; its message says in one sentence what is wrong and what to do.

    Recipes and tools print the message without a traceback; in Python it is a ``ValueError``.
    """


def one_of(what: str, value: object, valid: Iterable[object]) -> None:
    """Raise :class:`InputError`, which lists the valid choices, unless ``value`` is one of them."""
    valid = list(valid)
    if value not in valid:
        raise InputError(f"{what} {shown(value)} is not known: choose one of {', '.join(map(str, valid))}.")


def shown(value: object) -> str:
    """A wrong value for a message: strings in quotes, tuples as their values, and cut short if it is long."""
    if isinstance(value, (tuple, list)) and value:
        text = " ".join(map(shown, value))
    elif isinstance(value, int) and value.bit_length() > LONGEST_SHOWN:
        text = f"of {value.bit_length():,} bits"
    else:
        text = repr(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """Turn TensorFlow's errors for unusable data in a pipeline into :class:`InputError`, within a ``with`` block.

    The message is that of the :class:`InputError` that TensorFlow wrapped, or else TensorFlow's own, such as that for
    a photo that does not decode. A worker that lost another one says that. What the operating system said, such as that
    a disk is full, becomes an OSError.
    """
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tensorflow"):
            raise
        if LOST_WORKER in str(error):
            raise InputError(
                "Another worker of this run has ended or cannot be reached: see what it said, then start all workers "
                "again with the same command, which continues from the last checkpoint."
            ) from error
        if wrapped := re.search(rf"{InputError.__name__}: (.+)", str(error)):
            raise InputError(wrapped[1]) from error
        if said := system_error(error):
            raise said from error
        reason = re.search(r"in user-defined function passed to \w+.* with iterator: [\w:\[\]]+: (.+)", str(error))
        if reason is None:
            raise
        words = reason[1].split("}} ")[-1].split(" [Op:")[0][:300]
        raise InputError(f"An example of the data cannot be used: {words}") from error


def system_error(error: Exception) -> OSError | None:
    """The error of the operating system in the text of one of TensorFlow's, ``PATH; WORDS``; None without one."""
    numbers = {os.strerror(number): number for number in errno.errorcode}
    said = re.search(rf"(?:.*: )?(.+); ({'|'.join(map(re.escape, numbers))})", str(error).split("}} ")[-1])
    return OSError(numbers[said[2]], said[2], said[1]) if said else None
