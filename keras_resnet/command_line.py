"""How every program starts and ends; those of ``tools/`` are a dataclass of flags with a ``run`` method."""

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Protocol

from keras_resnet.bounds import check_fields, flag_of, hints_of, marks
from keras_resnet.errors import InputError, in_our_words, shown
from keras_resnet.files import part_of


class Output:
    """In the annotation of a flag: the path is a file to write, with one of ``suffixes``, or, without any, a folder."""

    def __init__(self, *suffixes: str):
        self.suffixes = suffixes


JsonFile = Annotated[Path, Output(".json")]
PngFile = Annotated[Path, Output(".png")]
Folder = Annotated[Path, Output()]


class Tool(Protocol):
    """A dataclass of flags that does what they ask for."""

    def run(self) -> None: ...


def run_tool(tool: type[Tool], description: str) -> None:
    """Read the command line into ``tool`` and run it; wrong input ends in one sentence and exit status 2."""
    import tyro

    without_prefix: Any = tyro.conf.OmitArgPrefixes
    _run(lambda: tyro.cli(without_prefix[tool], description=description))


def run_tools(tools: dict[str, type[Tool]], description: str) -> None:
    """The same for a program of several tools, chosen by the first word of the command line."""
    import tyro

    _run(lambda: tyro.extras.subcommand_cli_from_dict(dict(tools), description=description))


def check_output(flag: str, path: Path | None, *suffixes: str) -> None:
    """Raise :class:`InputError` for a file to write that cannot become one, before any work is done.

    Args:
        flag: as the sentence calls it.
        path: of the file; None is nothing to write.
        suffixes: which one of it must have; without any, ``path`` is a folder, made with those above it where needed.
    """
    if path is None:
        return
    place = path.parent if suffixes else next(each for each in (path, *path.absolute().parents) if each.exists())
    if suffixes and (not path.name.endswith(suffixes) or not place.is_dir() or (path.exists() and not path.is_file())):
        raise InputError(f"{flag} {shown(path)} must be a {' or '.join(suffixes)} file in a folder that is there.")
    if not place.is_dir():
        raise InputError(f"{flag} {shown(path)} cannot be written ({place} is no folder): choose another place.")
    part = part_of(path if suffixes else place / "out")
    try:
        part.touch()
        part.unlink(missing_ok=True)  # by a worker on another machine
    except OSError as error:
        raise InputError(f"{flag} {shown(path)} cannot be written ({error.strerror}): choose another place.") from error


def check_outputs(chosen) -> None:
    """Raise :class:`InputError` for the first ``Output`` of a dataclass of flags that cannot be written."""
    for name, hint in hints_of(type(chosen)).items():  # type: ignore[arg-type]
        for output in marks(hint, Output):
            check_output(flag_of(name, hint), getattr(chosen, name), *output.suffixes)


def refuse_empty_words() -> None:
    """Raise :class:`InputError` for a flag with nothing behind it, as of an unset variable: a path of it is ``.``."""
    for flag, word in itertools.pairwise(sys.argv):
        if not word and flag.startswith("-"):
            raise InputError(f"{flag} '' is empty: give a value, or leave {flag} out.")


def attempt(work: Callable[[], object], say: Callable[[OSError], str | None]) -> int:
    """Do a program's work and return its exit status: 0, or 2 after one sentence about what the user can put right.

    Every program starts here, before TensorFlow is imported. So this is where TensorFlow's information and warnings
    are turned off, unless TF_CPP_MIN_LOG_LEVEL is set; a program that only imports the package keeps its own level.

    Args:
        work: raises :class:`InputError` for what the user can put right.
        say: the sentence about an error of the operating system; None raises it again.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        refuse_empty_words()
        with in_our_words():
            work()
    except OSError as error:
        sentence = say(error)
        if sentence is None:
            raise
    except InputError as error:
        sentence = str(error)
    else:
        return 0
    return refuse(sentence)


def refuse(sentence: object) -> int:
    """Print the sentence that a program ends with, behind the program's name; the exit status that says so, 2."""
    print(f"{Path(sys.argv[0]).name}: {sentence}", file=sys.stderr)
    return 2


def _run(read: Callable[[], Tool]) -> None:
    def work():
        chosen = read()
        check_fields(chosen)
        check_outputs(chosen)
        chosen.run()

    try:
        status = attempt(work, _cannot_be_used)
    except KeyboardInterrupt:
        status = 130
    if status:
        sys.exit(status)


def _cannot_be_used(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}: see that it is there, may be used and has room."
