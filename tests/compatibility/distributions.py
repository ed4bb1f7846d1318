"""The distributions of this checkout: the wheel, and the source distribution, from which the same wheel can be built.

python tests/compatibility/distributions.py FOLDER

They are built from a copy, because building leaves folders in the tree.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("keras_resnet", "recipes", "tools", "pyproject.toml", "setup.cfg", "README.md", "LICENSE")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def copy_of_the_tree(folder: Path) -> Path:
    """A new folder with all that the distributions are built from."""
    folder.mkdir(parents=True)
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def build(kind: str, source: Path, out: Path) -> Path:
    """Build ``"wheel"`` or ``"sdist"`` of the project in the folder ``source`` into ``out``; returns the file."""
    words = [sys.executable, "-c", BUILD, f"build_{kind}", str(out.absolute())]
    done = subprocess.run(words, cwd=source, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the {kind} cannot be built: {done.stderr[-2000:]}")
    return out / done.stdout.strip().splitlines()[-1]


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        source = copy_of_the_tree(Path(place) / "source")
        for kind in ("sdist", "wheel"):
            print(build(kind, source, out))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
