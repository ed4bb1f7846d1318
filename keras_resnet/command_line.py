"""The small programs of ``tools/``: a dataclass of flags with a ``run`` method."""

import sys
from pathlib import Path

from keras_resnet.errors import InputError


def run_tool(tool: type, description: str) -> None:
    """Read the command line into ``tool`` and run it; wrong input ends in one sentence and exit status 2."""
    import tyro

    chosen = tyro.cli(tyro.conf.OmitArgPrefixes[tool], description=description)
    try:
        chosen.run()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
