"""Files that are whole or absent, and what is done with damaged ones."""

import errno
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Collection
from itertools import count
from pathlib import Path

LARGEST_JSON = 2**26  # bytes; the largest this package writes are checkpoints' state.json, below 1 MiB


def write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Call ``write(path)`` on a new file beside ``target``, then put it in ``target``'s place."""
    part = part_of(target)
    try:
        write(part)
        sync(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def part_of(target: Path) -> Path:
    """Where this process writes what becomes ``target``."""
    return target.with_name(f"part-{os.getpid()}-{target.name}")


def unfinished(folder: Path, names: Collection[str]) -> list[Path]:
    """What killed processes left in ``folder`` of :func:`write_whole` of files with these ``names``."""
    parts = {path: re.fullmatch(r"part-[0-9]+-(.+)", path.name, re.ASCII) for path in folder.iterdir()}
    return [path for path, part in parts.items() if part and part[1] in names and is_own_file(path)]


def is_own_file(path: Path) -> bool:
    """Whether ``path`` is a regular file and no link to one."""
    return path.is_file() and not path.is_symlink()


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
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
    """What helps against an error of writing."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return "make room there" if full else "make it a place that can be written to"


def read_object(path: Path) -> dict:
    """The object that a JSON file holds; raises OSError where there is no such file, ValueError where it is damaged."""
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


def set_aside(path: Path, why: str) -> None:
    """Rename what is in a place it cannot be used in, and say so on standard error; nothing is overwritten."""
    names = (f"{path.name}.damaged{f'-{number}' if number > 1 else ''}" for number in count(1))
    target = next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
    os.rename(path, target)
    print(f"{path} cannot be used ({why}): it is kept as {target.name}", file=sys.stderr)
