"""Files that are whole or absent."""

import os
from pathlib import Path


def write_whole(target: Path, write) -> None:
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


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
