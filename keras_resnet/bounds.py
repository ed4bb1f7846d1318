"""What the fields of a dataclass may be: types and ranges stand in each field's annotation and are checked here."""

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

LONGEST_TEXT, LONGEST_NAME = 4096, 255  # bytes of a path, and of a file's name, on Linux


@dataclasses.dataclass(frozen=True)
class Between:
    """In an annotation, ``Annotated[int, Between(1, 9)]``: the least and the most that the number may be."""

    least: float
    most: float

    def holds(self, value) -> bool:
        return self.least <= value <= self.most

    def __str__(self) -> str:
        return f"from {self.least:,} to {self.most:,}"


@dataclasses.dataclass(frozen=True)
class Length(Between):
    """In an annotation of a tuple: how few and how many values it may have."""

    def holds(self, value) -> bool:
        return super().holds(len(value))

    def __str__(self) -> str:
        return f"({self.least:,} to {self.most:,} of them)"


Count = Annotated[int, Between(1, 1_000_000)]
"""Of things that are held in memory or gone through one by one."""
Steps = Annotated[int, Between(1, 1_000_000_000)]
Pixels = Annotated[int, Between(1, 10_000)]
Positive = Annotated[float, Between(1e-30, 1e30)]
"""A number above 0 that float32 holds."""

T = TypeVar("T")
BY_PRESET: Any = None
if TYPE_CHECKING:
    ByPreset = Annotated[T, "None before it is resolved"]
else:

    class ByPreset:
        """``ByPreset[int]`` is the type of a setting that is left out, ``BY_PRESET``, until a preset fills it in.

        Type checkers take it for what it is then, an int.
        """

        def __class_getitem__(cls, kind):
            return kind | None


def check_fields(instance, flags: bool = True) -> None:
    """Raise :class:`InputError` for the first field of a dataclass that is not what its annotation asks for.

    Besides what ``Between`` and ``Length`` say: floats are finite, texts and paths are what a file system takes, and
    a ``Literal`` is one of its choices. Fields that are dataclasses are checked as well.

    Args:
        instance: of the dataclass.
        flags: fields are called as on the command line, ``--batch-size``.
    """
    for name, hint in hints_of(type(instance)).items():  # type: ignore[arg-type]
        value = getattr(instance, name)
        if dataclasses.is_dataclass(value):
            check_fields(value, flags)
        elif not fits(value, hint):
            raise InputError(f"{flag_of(name, hint) if flags else name} {shown(value)} must be {words(hint)}.")


def flag_of(name: str, hint) -> str:
    """What a command line calls the field ``name``: ``--batch-size``, or its name alone if it is positional."""
    return name if "Positional" in map(str, getattr(hint, "__metadata__", ())) else f"--{name.replace('_', '-')}"


@functools.cache
def hints_of(cls: type) -> dict[str, Any]:
    """The annotations of a dataclass's fields by name."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def marks(hint, kind: type) -> Iterator:
    """All instances of ``kind`` that stand anywhere in an annotation."""
    if get_origin(hint) is Annotated:
        yield from (each for each in hint.__metadata__ if isinstance(each, kind))
    if get_origin(hint) is not Literal:
        for part in get_args(hint):
            yield from marks(part, kind)


def fits(value, hint) -> bool:
    """Whether ``value`` is what the annotation ``hint`` asks for."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = (each for each in hint.__metadata__ if isinstance(each, Between))
        return fits(value, parts[0]) and all(each.holds(value) for each in bounds)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        wanted = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return len(wanted) == len(value) and all(map(fits, value, wanted))
    return _SIMPLE[hint][1](value) if hint in _SIMPLE else True


def words(hint) -> str:
    """What ``hint`` asks for, as a sentence says it after "must be"."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return " ".join([words(parts[0]), *(str(each) for each in hint.__metadata__ if isinstance(each, Between))])
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
    except (TypeError, AttributeError, UnicodeEncodeError):  # no text, or bytes of another encoding
        return False
    names = (len(name) <= LONGEST_NAME for name in data.split(b"/"))
    return 0 < len(data) <= LONGEST_TEXT and b"\0" not in data and all(names)


_TEXT = f"in UTF-8 of 1 to {LONGEST_TEXT:,} bytes, at most {LONGEST_NAME} between slashes"
_SIMPLE = {  # of each type what it asks for, in words, and whether a value is that
    int: ("a whole number", _is_whole),
    float: ("a finite number", _is_finite),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    str: (f"a text {_TEXT}", lambda value: isinstance(value, str) and _is_text(value)),
    Path: (f"a path {_TEXT}", _is_text),
    type(None): ("left out", lambda value: value is None),
}
