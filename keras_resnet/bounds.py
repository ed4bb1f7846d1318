"""Checks of the fields of dataclasses against their annotations, which state each field's type and range."""

import dataclasses
import functools
import math
import numbers
import os
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from keras_resnet.errors import InputError, shown

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LONGEST_TEXT, LONGEST_NAME = 4096, 255  # bytes of a path, and of a file's name, on Linux


@dataclasses.dataclass(frozen=True)
class Between:
    """The range of a number, both ends included, as in the annotation ``Annotated[int, Between(1, 9)]``."""

    least: float
    most: float

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is in the range."""
        return self.least <= value <= self.most

    def __str__(self) -> str:
        return f"from {self.least:,} to {self.most:,}"


@dataclasses.dataclass(frozen=True)
class Length(Between):
    """The range of a tuple's length, in its annotation."""

    def holds(self, value: Any) -> bool:
        return super().holds(len(value))

    def __str__(self) -> str:
        return f"({self.least:,} to {self.most:,} of them)"


Count = Annotated[int, Between(1, 1_000_000)]
"""A number of things that are held in memory or visited one by one."""
Steps = Annotated[int, Between(1, 1_000_000_000)]
Pixels = Annotated[int, Between(1, 10_000)]
Positive = Annotated[float, Between(1e-30, 1e30)]
"""A positive number within the range of float32."""

T = TypeVar("T")
BY_PRESET: Any = None
if TYPE_CHECKING:
    ByPreset = Annotated[T, "None before it is resolved"]
else:

    class ByPreset:
        """``ByPreset[int]`` is the type of a setting that is ``BY_PRESET`` until a preset fills it in.

        Type checkers see the type that it has then, an int.
        """

        def __class_getitem__(cls, type_):
            return type_ | None


def check_fields(instance: "DataclassInstance", flags: bool = True) -> None:
    """Raise :class:`InputError` for the first field of a dataclass whose value does not match its annotation.

    Besides the ranges of ``Between`` and ``Length``: floats must be finite, strings and paths must be valid for a file
    system, and a ``Literal`` must be one of its choices. Fields that are dataclasses are checked as well.

    Args:
        instance: an instance of the dataclass.
        flags: whether the message calls fields by their flag, ``--batch-size``, instead of their name.
    """
    for name, hint in hints_of(type(instance)).items():
        value = getattr(instance, name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            check_fields(value, flags)
        elif not fits(value, hint):
            raise InputError(f"{flag_of(name, hint) if flags else name} {shown(value)} must be {words(hint)}.")


def flag_of(name: str, hint: Any) -> str:
    """The field ``name`` as a flag, ``--batch-size``, or its name alone if its annotation makes it positional."""
    return name if "Positional" in map(str, getattr(hint, "__metadata__", ())) else f"--{name.replace('_', '-')}"


@functools.cache
def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of the fields of the dataclass ``cls``, by name."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def marks(hint: Any, mark: type[T]) -> Iterator[T]:
    """All instances of the class ``mark`` in the metadata of an annotation and of its parts."""
    if get_origin(hint) is Annotated:
        yield from (item for item in hint.__metadata__ if isinstance(item, mark))
    if get_origin(hint) is not Literal:
        for part in get_args(hint):
            yield from marks(part, mark)


def fits(value: Any, hint: Any) -> bool:
    """Whether ``value`` matches the annotation ``hint``."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = (bound for bound in hint.__metadata__ if isinstance(bound, Between))
        return fits(value, parts[0]) and all(bound.holds(value) for bound in bounds)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        hints = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(hints) == len(value) and all(map(fits, value, hints))
    return _SIMPLE[hint][1](value) if hint in _SIMPLE else True


def words(hint: Any) -> str:
    """The values that the annotation ``hint`` allows, in words that follow "must be" in a message."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([words(parts[0]), *(str(bound) for bound in hint.__metadata__ if isinstance(bound, Between))])
    if origin in (Union, UnionType):
        return " or ".join(words(part) for part in parts if part is not type(None))
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}" if len(parts) > 1 else str(parts[0])
    if origin is tuple:
        count = "values" if parts[-1] is Ellipsis else f"{len(parts)} values"
        return f"{count}, each {words(parts[0])}"
    return _SIMPLE[hint][0] if hint in _SIMPLE else getattr(hint, "__name__", str(hint))


def _is_whole(value) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite(value) -> bool:
    return _is_whole(value) or (
        isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    )


def _is_text(value) -> bool:
    try:
        data = os.fspath(value).encode()
    except (TypeError, AttributeError, UnicodeEncodeError):  # not a string, or bytes of another encoding
        return False
    names = (len(name) <= LONGEST_NAME for name in data.split(b"/"))
    return 0 < len(data) <= LONGEST_TEXT and b"\0" not in data and all(names)


_TEXT = f"in UTF-8 of 1 to {LONGEST_TEXT:,} bytes, at most {LONGEST_NAME} between slashes"
_SIMPLE = {  # the values of each type in words, and the test whether a value is one of them
    int: ("a whole number", _is_whole),
    float: ("a finite number", _is_finite),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    str: (f"a text {_TEXT}", lambda value: isinstance(value, str) and _is_text(value)),
    Path: (f"a path {_TEXT}", _is_text),
    type(None): ("left out", lambda value: value is None),
}
