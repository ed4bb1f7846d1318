"""Who owns a folder: a marker file says that this package writes there, and whether a run or a study."""

from collections.abc import Callable
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import MARKER, is_own_file, object_or_none, unfinished, write_json

LOCK = "lock"
FORMAT = 1
RUN, STUDY = "a run", "a study"
MAX_LISTED = 3  # names of files that a message lists


def check_owned(folder: Path, what: str, looks_like_one: Callable[[Path], bool]) -> None:
    """Raise :class:`InputError` unless ``folder`` is empty or its marker says that it holds ``what``, RUN or STUDY.

    ``looks_like_one`` recognizes a folder that an early version wrote without a marker.
    """
    marker = _marker(folder)
    if marker is None:
        unmarked = set(folder.iterdir()) - set(unfinished(folder, (MARKER,)))  # left by a process killed at its start
        unmarked -= {path for path in unmarked if path.name == LOCK and is_own_file(path) and not path.stat().st_size}
        if unmarked and not looks_like_one(folder):
            names = sorted(ascii(path.name)[1:-1][:60] for path in unmarked)
            more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
            raise InputError(
                f"The workdir {folder} does not hold {what} but other files ({', '.join(names[:MAX_LISTED])}{more}): "
                "choose a new or an empty folder as --workdir."
            )
    elif marker["holds"] != what:
        raise InputError(f"The workdir {folder} holds {marker['holds']}, not {what}: choose another --workdir.")
    elif marker["format"] > FORMAT:
        raise InputError(
            f"{folder} was written by a later version of keras_resnet: use that one, or another --workdir."
        )


def holds(folder: Path, what: str) -> bool:
    """Whether the marker of ``folder`` says that it holds ``what``."""
    marker = _marker(folder)
    return marker is not None and marker["holds"] == what


def mark(folder: Path, what: str) -> None:
    """Write the marker into ``folder`` unless it is there already."""
    if _marker(folder) is None:
        content = {"package": "keras_resnet", "holds": what, "format": FORMAT}
        write_json(folder / MARKER, content, indent=None)


def _marker(folder: Path) -> dict | None:
    """The content of the marker; None without a marker of this package."""
    marker = object_or_none(folder / MARKER) or {}
    valid = marker.get("package") == "keras_resnet" and marker.get("holds") in (RUN, STUDY)
    return marker if valid and isinstance(marker.get("format"), int) else None
