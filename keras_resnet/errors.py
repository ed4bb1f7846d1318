"""The one exception for what a user can put right."""

import contextlib
import re
from pathlib import Path

LONGEST_SHOWN = 200  # characters of a wrong value


class InputError(ValueError):
    """A wrong argument, file, folder or setting; the message names it and the way out in one sentence.

    The recipes and tools print the message alone; in Python it is a ``ValueError``.
    """


def one_of(what: str, value, valid) -> None:
    """Raise :class:`InputError` naming the valid choices unless ``value`` is one of them."""
    valid = list(valid)
    if value not in valid:
        raise InputError(f"{what} {shown(value)} is not known: choose one of {', '.join(map(str, valid))}.")


def shown(value) -> str:
    """A wrong value as a sentence names it: texts in quotes, tuples as their values, and all that is long cut short."""
    if isinstance(value, (tuple, list)) and value:
        text = " ".join(map(shown, value))
    elif isinstance(value, int) and value.bit_length() > LONGEST_SHOWN:
        text = f"of {value.bit_length():,} bits"
    else:
        text = repr(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@contextlib.contextmanager
def in_our_words():
    """While entered, what TensorFlow raises for unusable data in a pipeline becomes an :class:`InputError`.

    Its sentence is that of the :class:`InputError` which TensorFlow wrapped or, as for a photo that does not decode,
    TensorFlow's own.
    """
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith("tensorflow"):
            raise
        ours = re.search(rf"{InputError.__name__}: (.+)", str(error))
        theirs = re.search(r"in user-defined function passed to \w+.* with iterator: [\w:\[\]]+: (.+)", str(error))
        if ours is None and theirs is None:
            raise
        words = (
            ours[1]
            if ours
            else f"An example of the data cannot be used: {theirs[1].split('}} ')[-1].split(' [Op:')[0][:300]}"
        )
        raise InputError(words) from error
