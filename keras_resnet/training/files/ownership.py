"""Whose a folder is: a marker file says that this package writes there, and what."""

import json
from collections.abc import Callable
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import is_own_file, read_object, unfinished, write_whole

MARKER, LOCK = "keras_resnet.json", "lock"
FORMAT = 1
RUN, STUDY = "a run", "a study"
SHOWN = 3  # names of a folder that a sentence lists


def check_owned(folder: Path, what: str, looks_like_one: Callable[[Path], bool]) -> None:
    """Raise :class:`InputError` unless ``folder`` is empty or is marked as one that holds ``what``, RUN or STUDY.

    ``looks_like_one`` recognises a folder from before there were markers.
    """
    found = _marker(folder)
    if found is None:
        unmarked = set(folder.iterdir()) - set(unfinished(folder, (MARKER,)))  # of a process killed at its start
        unmarked -= {path for path in unmarked if path.name == LOCK and is_own_file(path) and not path.stat().st_size}
        if unmarked and not looks_like_one(folder):
            names = sorted(ascii(path.name)[1:-1][:60] for path in unmarked)
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise InputError(
                f"The workdir {folder} does not hold {what} but other files ({', '.join(names[:SHOWN])}{more}): "
                "choose a new or an empty folder as --workdir."
            )
    elif found["holds"] != what:
        raise InputError(f"The workdir {folder} holds {found['holds']}, not {what}: choose another --workdir.")
    elif found["format"] > FORMAT:
        raise InputError(
            f"{folder} was written by a later version of keras_resnet: use that one, or another --workdir."
        )


def holds(folder: Path, what: str) -> bool:
    """Whether ``folder`` is marked as one that holds ``what``."""
    found = _marker(folder)
    return found is not None and found["holds"] == what


def mark(folder: Path, what: str) -> None:
    """Put the marker into ``folder`` unless it is there."""
    if _marker(folder) is None:
        content = {"package": "keras_resnet", "holds": what, "format": FORMAT}
        write_whole(folder / MARKER, lambda path: path.write_text(json.dumps(content) + "\n"))


def _marker(folder: Path) -> dict | None:
    """What the marker says; None without one of ours."""
    try:
        found = read_object(folder / MARKER)
    except (OSError, ValueError):
        return None
    of_ours = found.get("package") == "keras_resnet" and found.get("holds") in (RUN, STUDY)
    return found if of_ours and isinstance(found.get("format"), int) else None
