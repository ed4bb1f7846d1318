"""Writing files so that they are whole or absent, and setting damaged files aside."""

import errno
import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import numpy as np

MARKER = "keras_resnet.json"  # in the folders of runs and studies
ANSWERS_BEGIN = ("[]", '[\n {\n  "photo": ')  # lists of what detectors and localizers answer, in JSON
LONGEST_NAME = 255  # bytes, of the usual file systems
LARGEST_JSON = 2**26  # bytes; the largest that this package writes, a checkpoint's state.json, is below 1 MiB


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Call ``write(path)`` for a new file beside ``target``, then move it to ``target``."""
    part = part_of(target)
    try:
        write(part)
        sync(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a UTF-8 file, whole or not at all; letters that UTF-8 lacks, as in names of files, are escaped."""
    write_whole(target, lambda part: part.write_text(text, encoding="utf-8", errors="backslashreplace"))


def write_json(target: Path, content: object, indent: int | None = 1) -> None:
    """Write plain values as a JSON file, whole or not at all."""
    write_text(target, json.dumps(content, indent=indent) + "\n")


def save_array(path: Path, values: "np.ndarray") -> None:
    """Write a ``.npy`` file; raises OSError that says why it cannot, which ``np.save`` to a file does not say."""
    import numpy as np  # the package imports nothing heavy

    np.save(content := io.BytesIO(), values)
    path.write_bytes(content.getbuffer())


def check_replaceable(target: Path, *begins: str) -> None:
    """Raise :class:`InputError` if there is a file ``target`` that begins as none of those that this package writes."""
    ours = tuple(text.encode() for text in begins)
    try:
        with open(target, "rb") as file:
            first = file.read(max(map(len, ours)))
    except FileNotFoundError:
        return
    if not first.startswith(ours):
        check_written(target)


def check_written(target: Path, *signs: Path) -> None:
    """Raise :class:`InputError` if there is a file ``target`` but none of ``signs``, which the program writes first."""
    if target.exists() and not any(sign.exists() for sign in signs):
        raise InputError(f"{target} was not written by this program and would be replaced: choose another place.")


def check_all_replaceable(first: Path, begins: str, others: Iterable[str]) -> None:
    """Raise :class:`InputError` as :func:`check_replaceable` of ``first``, or if ``others`` are beside it without it.

    Args:
        first: the file that the program writes before the others, and which tells whose they are.
        begins: its first letters.
        others: the names of the others, whose content does not tell it.
    """
    check_replaceable(first, begins)
    for name in others:
        check_written(first.with_name(name), first)


def check_not_read(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise :class:`InputError` if a file that will be written is one of the ``inputs``."""
    read = {os.path.realpath(path) for path in inputs}
    for target in targets:
        if os.path.realpath(target) in read:
            raise InputError(f"{target} is one of the photos and would be replaced by a drawing: choose another place.")


def part_of(target: Path) -> Path:
    """The path that this process writes to before it moves the file to ``target``; of a long name it has the end."""
    begin = f"part-{os.getpid()}-"
    return target.with_name(begin + os.fsdecode(os.fsencode(target.name)[len(begin) - LONGEST_NAME :]))


def unfinished(folder: Path, names: Collection[str]) -> list[Path]:
    """The partial files of ``names`` that processes left in ``folder`` when they were killed in :func:`write_whole`."""
    parts = {path: re.fullmatch(r"part-[0-9]+-(.+)", path.name, re.ASCII) for path in folder.iterdir()}
    return [path for path, part in parts.items() if part and part[1] in names and is_own_file(path)]


def is_own_file(path: Path) -> bool:
    """Whether ``path`` is a regular file, and not a link to one."""
    return path.is_file() and not path.is_symlink()


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remedy(error: OSError) -> str:
    """What the user can do about an error while writing, for the end of a message."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "make room there" if full else "make it a place that can be written to"


def read_object(path: Path) -> dict:
    """The object in a JSON file; raises OSError if there is no such file and ValueError if it is damaged."""
    if path.exists() and not path.is_file():
        raise ValueError("it is not a regular file")
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"it is larger than {LARGEST_JSON} bytes")
    try:
        content = json.loads(path.read_bytes())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(content, dict):
        raise ValueError("it does not hold a JSON object")
    return content


def object_or_none(path: Path) -> dict | None:
    """The object in a JSON file; None if the file is missing or damaged."""
    try:
        return read_object(path)
    except (OSError, ValueError):
        return None


def set_aside(path: Path, why: str) -> None:
    """Rename a file or folder that cannot be used, and report that on standard error; nothing is overwritten."""
    names = (f"{path.name}.damaged{f'-{number}' if number > 1 else ''}" for number in count(1))
    target = next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
    os.rename(path, target)
    print(f"{path} cannot be used ({why}): it is kept as {target.name}", file=sys.stderr)
