"""The small programs of ``tools/``: a dataclass of flags with a ``run`` method."""

import sys
from pathlib import Path

from keras_resnet.errors import InputError, in_our_words


def run_tool(tool: type, description: str) -> None:
    """Read the command line into ``tool`` and run it; wrong input ends in one sentence and exit status 2."""
    import tyro

    _run(tyro.cli(tyro.conf.OmitArgPrefixes[tool], description=description))


def run_tools(tools: dict[str, type], description: str) -> None:
    """The same for a program of several tools, chosen by the first word of the command line."""
    import tyro

    _run(tyro.extras.subcommand_cli_from_dict(tools, description=description))


def check_output(flag: str, path: Path | None, suffix: str = ".json") -> None:
    """Raise :class:`InputError` for a file to write that cannot become one, before any work is done."""
    if path is not None and (path.suffix != suffix or path.is_dir() or not path.parent.is_dir()):
        raise InputError(f"{flag} {path} must be a {suffix} file in a folder that is there.")


def _run(chosen) -> None:
    try:
        with in_our_words():
            chosen.run()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
