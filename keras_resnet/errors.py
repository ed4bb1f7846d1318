"""The one exception for what a user can put right."""


class InputError(ValueError):
    """A wrong argument, file, folder or setting; the message names it and the way out in one sentence.

    The recipes and tools print the message alone; in Python it is a ``ValueError``.
    """


def one_of(what: str, value, valid) -> None:
    """Raise :class:`InputError` naming the valid choices unless ``value`` is one of them."""
    valid = list(valid)
    if value not in valid:
        raise InputError(f"{what} {value!r} is not known: choose one of {', '.join(map(str, valid))}.")
