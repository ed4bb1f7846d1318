"""The small programs of ``tools/``: a dataclass of flags with a ``run`` method."""

import json
import sys
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import write_whole


def run_tool(tool: type, description: str) -> None:
    """Read the command line into ``tool`` and run it; wrong input ends in one sentence and exit status 2."""
    import tyro

    _run(tyro.cli(tyro.conf.OmitArgPrefixes[tool], description=description))


def run_tools(tools: dict[str, type], description: str) -> None:
    """The same for a program of several tools, chosen by the first word of the command line."""
    import tyro

    _run(tyro.extras.subcommand_cli_from_dict(tools, description=description))


def check_json(path: Path | None) -> None:
    """Raise :class:`InputError` for a ``--json`` that is no .json file in a folder that is there."""
    if path is not None and (path.suffix != ".json" or not path.parent.is_dir()):
        raise InputError(f"--json {path} must be a .json file in a folder that is there.")


def write_json(path: Path | None, values: dict) -> None:
    """Write what a tool printed as data, with the command, commit, versions and hardware it comes from."""
    from keras_resnet.training.results import provenance

    if path is not None:
        text = json.dumps(values | provenance(), indent=2) + "\n"
        write_whole(path, lambda part: part.write_text(text))


def _run(chosen) -> None:
    try:
        chosen.run()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
