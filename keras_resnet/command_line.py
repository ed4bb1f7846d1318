"""The start and end of every program; each program of ``tools/`` is a dataclass of flags with a ``run`` method."""

import contextlib
import io
import itertools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

from keras_resnet.bounds import check_fields, flag_of, hints_of, marks
from keras_resnet.errors import InputError, in_our_words, shown
from keras_resnet.files import part_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Output:
    """Marks a flag's path, in its annotation, as output: a file with one of ``suffixes``, or a folder without any."""

    def __init__(self, *suffixes: str):
        self.suffixes = suffixes


class Model:
    """Marks a flag's text, in its annotation, as NAME, NAME:WEIGHTS or a file; and a path as the file of a model."""


JsonFile = Annotated[Path, Output(".json")]
PngFile = Annotated[Path, Output(".png")]
Folder = Annotated[Path, Output()]
ModelName = Annotated[str, Model()]
ModelFile = Annotated[Path, Model()]


class Tool(Protocol):
    """A dataclass of flags with the work that they describe."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def run(self) -> None:
        """Do the work."""


def run_tool(tool: type[Tool], description: str) -> None:
    """Read the command line into ``tool`` and run it; wrong input ends in a one-sentence message and exit status 2."""
    import tyro

    without_prefix: Any = tyro.conf.OmitArgPrefixes
    _run(lambda: tyro.cli(without_prefix[tool], description=description))


def run_tools(tools: dict[str, type[Tool]], description: str) -> None:
    """Like :func:`run_tool`, for a program of several tools: the first word of the command line chooses one."""
    import tyro

    without_prefix = (tyro.conf.OmitArgPrefixes,)
    _run(lambda: tyro.extras.subcommand_cli_from_dict(dict(tools), description=description, config=without_prefix))


def check_output(flag: str, path: Path | None, *suffixes: str) -> None:
    """Raise :class:`InputError` if a file or folder cannot be written, before any work is done.

    Args:
        flag: the flag that gave it, for the message.
        path: the file or folder; None if there is nothing to write.
        suffixes: the file's name must end in one of them; without any, ``path`` is a folder, which need not exist yet.
    """
    if path is None:
        return
    if path.parts[:1] == ("~",):
        raise InputError(
            f"{flag} {shown(path)} would be in a folder called ~, because a shell replaces ~ at the beginning of a "
            "word alone: put a space before it, or give the whole path."
        )
    place = path.parent if suffixes else next(place for place in (path, *path.absolute().parents) if place.exists())
    if suffixes and (not path.name.endswith(suffixes) or not place.is_dir() or (path.exists() and not path.is_file())):
        raise InputError(f"{flag} {shown(path)} must be a {' or '.join(suffixes)} file in an existing folder.")
    if not place.is_dir():
        raise InputError(f"{flag} {shown(path)} cannot be written ({place} is not a folder): choose another place.")
    part = part_of(path if suffixes else place / "out")
    try:
        part.touch()
        part.unlink(missing_ok=True)  # a worker on another machine may have removed it
    except OSError as error:
        raise InputError(f"{flag} {shown(path)} cannot be written ({error.strerror}): choose another place.") from error


def check_outputs(flags: "DataclassInstance") -> None:
    """Raise :class:`InputError` for the first ``Output`` of a dataclass of flags that cannot be written."""
    for name, hint in hints_of(type(flags)).items():
        for output in marks(hint, Output):
            check_output(flag_of(name, hint), getattr(flags, name), *output.suffixes)


def check_models(flags: "DataclassInstance") -> None:
    """Raise :class:`InputError` for the first ``Model`` of a dataclass of flags that is no network or file."""
    from keras_resnet.model_names import check_model, check_model_file

    for name, hint in hints_of(type(flags)).items():
        if any(True for _ in marks(hint, Model)):
            value = getattr(flags, name)
            for model in value if isinstance(value, tuple) else (value,):
                check_model_file(model) if isinstance(model, Path) else check_model(model)


def refuse_empty_words() -> None:
    """Raise :class:`InputError` for a flag with an empty value, such as an unset variable: as a path it means ``.``."""
    for flag, word in itertools.pairwise(sys.argv):
        if not word and flag.startswith("-"):
            raise InputError(f"{flag} '' is empty: give a value, or leave {flag} out.")


def attempt(work: Callable[[], object], say: Callable[[OSError], str | None]) -> int:
    """Do a program's work and return its exit status: 0, or 2 after a message about something the user can correct.

    Every program starts here, before TensorFlow is imported. So this is where TensorFlow's information and warnings
    are turned off, unless TF_CPP_MIN_LOG_LEVEL is set; a program that only imports the package keeps its own level.

    Args:
        work: raises :class:`InputError` for mistakes that the user can correct.
        say: makes the message for an error of the operating system; if it returns None, the error is raised again.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with contextlib.suppress(OSError):  # of a file in whose place a pipe was put, which cannot seek
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be UTF-8
    sentence: str | None
    try:
        refuse_empty_words()
        with in_our_words():
            work()
    except BrokenPipeError:
        sentence = "Nothing reads what this program prints any more, so it has stopped."
        leave_unread()
    except OSError as error:
        sentence = say(error)
        if sentence is None:
            raise
    except InputError as error:
        sentence = str(error)
    else:
        return 0
    return refuse(sentence)


def leave_unread() -> None:
    """Let what is printed from now on go nowhere, since nothing reads it: the end of a program would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def refuse(sentence: object) -> int:
    """Print a program's last message, preceded by the program's name, and return the exit status for it, 2."""
    print(f"{Path(sys.argv[0]).name}: {sentence}", file=sys.stderr)
    return 2


def _run(read: Callable[[], Tool]) -> None:
    def work():
        chosen = read()
        check_fields(chosen)
        check_outputs(chosen)
        check_models(chosen)
        chosen.run()

    try:
        status = attempt(work, _cannot_be_used)
    except KeyboardInterrupt:
        status = 130
    if status:
        sys.exit(status)


def _cannot_be_used(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    number = re.search(r"errno = (\d+)", str(error))  # in the lines of text that h5py's errors are
    said = os.strerror(int(number[1])) if number else error.strerror or error
    return f"{where}{said}: make sure that it exists, that you may use it and that it has room."
