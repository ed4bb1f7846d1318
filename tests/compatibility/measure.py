"""Which versions of Python, Keras, TensorFlow and NumPy work: the table of docs/compatibility.md.

python tests/compatibility/measure.py --json docs/results/compat.json

For every Python from 3.11 to 3.13 that is found, the wheel is installed into new environments: with the lowest and with
the newest versions that pyproject.toml allows and that the package index has for this Python, and, with the first
Python, with the lowest versions but for one of the three packages, which is the newest below its range. ``TESTS`` run
in each. The ranges are right if everything within them passes and everything below fails.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

sys.path.insert(0, str(Path(__file__).parent))

from distributions import build, copy_of_the_tree
from packaging.requirements import Requirement
from packaging.version import Version

from keras_resnet.command_line import JsonFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
PYTHONS = ("python3.11", "python3.12", "python3.13")
RANGED = ("keras", "tensorflow", "numpy")
TESTED = ("tests", "recipes", "tools", "docs", "pyproject.toml", "setup.cfg", "README.md")  # without the package
TESTS = (  # what has failed with some version: networks, files, Keras' hooks, TFDS, near copies, detection, and a run
    "tests/test_specs.py",
    "tests/test_network.py",
    "tests/test_loading.py",
    "tests/layers/test_batch_normalization.py",
    "tests/weights/test_keras_file.py",
    "tests/data/test_gathering.py",
    "tests/data/test_sources.py",
    "tests/detection/data/test_tfds_data.py",
    "tests/detection/test_faster_rcnn.py",
    "tests/detection/test_roi_pooling.py",
    "tests/inspection/test_copies.py",
    "tests/evaluation/test_scoring.py",
    "tests/analysis/test_curvature.py",
    "tests/training/stepping/test_keras_hooks.py",
    "tests/recipes/test_recipes.py::test_a_folder_of_photos_is_trained_on",
)
COLUMNS = ("Python", "versions", "Keras", "TensorFlow", "NumPy", "passed", "failed", "result")


@dataclass(frozen=True)
class Case:
    """Versions to install.

    Fields:
        which: "lowest", "newest", or "KERAS below the range" ...
        pins: requirements such as ``"keras==3.15.0"``.
        declared: whether pyproject.toml allows them.
    """

    which: str
    pins: tuple[str, ...]
    declared: bool = True


@dataclass(frozen=True)
class Measure:
    """The Pythons and versions to try."""

    pythons: tuple[Literal["python3.11", "python3.12", "python3.13"], ...] = PYTHONS
    """Those to look for on the path."""
    only: str | None = None
    """Try only versions whose name contains this: lowest, newest or below."""
    json: JsonFile | None = None
    """A file for the table as data."""

    def run(self) -> None:
        installed = [python for python in self.pythons if shutil.which(python)]
        if not installed:
            raise InputError(f"There is none of {', '.join(self.pythons)} on the path: install one of them.")
        table = Table("compat", COLUMNS)
        table.print_header()
        wrong = []
        with tempfile.TemporaryDirectory(prefix="compat-") as place:
            folder = Path(place)
            wheel = build("wheel", copy_of_the_tree(folder / "source"), folder)
            if SHARED.is_dir():  # tests skip without the real data, where tests beside the tree look for it
                (folder / SHARED.name).symlink_to(SHARED)
            for python in installed:
                for case in _cases(python, with_below=python == installed[0]):
                    if self.only is None or self.only in case.which:
                        row = _tried(python, case, wheel, folder)
                        table.add(*row)
                        wrong += [] if (row[-1] == "passes") == case.declared else [f"{python}, {case.which}"]
        absent = [python for python in self.pythons if python not in installed]
        write_tables(self.json, [table], not_installed=absent, wrong=wrong)
        if wrong:
            raise InputError(f"The ranges in pyproject.toml are not what passes ({'; '.join(wrong)}): change them.")


def declared() -> list[Requirement]:
    """The dependencies in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def _cases(python: str, with_below: bool) -> Iterator[Case]:
    ranges = {requirement.name: requirement.specifier for requirement in declared() if requirement.name in RANGED}
    available = {name: _versions(python, name) for name in RANGED}
    allowed = {name: sorted(v for v in available[name] if v in ranges[name]) for name in RANGED}
    lowest = {name: _first_with_wheel(python, name, allowed[name]) for name in RANGED}
    yield Case("lowest", _pins(lowest))
    yield Case("newest", _pins({name: _first_with_wheel(python, name, allowed[name][::-1]) for name in RANGED}))
    for name in RANGED if with_below else ():
        below = [v for v in available[name] if v < lowest[name]]
        if below:
            yield Case(f"{name} below the range", _pins(lowest | {name: max(below)}), declared=False)


def _pins(versions: dict[str, Version]) -> tuple[str, ...]:
    return tuple(f"{name}=={version}" for name, version in versions.items())


def _versions(python: str, name: str) -> list[Version]:
    """The released versions of a package, of some of which the index may have the source alone."""
    done = _run(python, "-m", "pip", "index", "versions", name)
    listed = re.search(r"^Available versions: (.*)$", done.stdout, re.MULTILINE)
    if listed is None:
        raise InputError(f"The versions of {name} cannot be listed with {python}: {done.stderr[-500:]}")
    return [version for version in map(Version, listed[1].split(", ")) if not version.is_prerelease]


def _first_with_wheel(python: str, name: str, versions: Iterable[Version]) -> Version:
    """The first of some versions that the index has as a wheel for ``python``."""
    dry = (python, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--only-binary", ":all:")
    for version in versions:
        if not _run(*dry, f"{name}=={version}").returncode:
            return version
    raise InputError(f"There is no wheel of {name} for {python} within the range of pyproject.toml.")


def _tried(python: str, case: Case, wheel: Path, folder: Path) -> tuple[str, ...]:
    """A row of the table; the environment is removed afterwards."""
    environment, tree = folder / "environment", folder / "tested"
    about = (_python_version(python), case.which)
    try:
        _run(python, "-m", "venv", environment)
        inside = environment / "bin" / "python"
        problem = _install(inside, case, wheel)
        if problem:
            print(problem, file=sys.stderr)
            pinned = dict(pin.split("==") for pin in case.pins)
            return (*about, *(pinned.get(name, "") for name in RANGED), "", "", "does not install")
        tree.mkdir()
        for name in TESTED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tree / name)
        options = ("-q", "-m", "not slow and not peers", f"--rootdir={tree}", "-c", tree / "pyproject.toml")
        done = _run(inside, "-m", "pytest", *options, *(tree / test for test in TESTS), folder=tree)
        counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
        passed, failed = counts.get("passed", 0), counts.get("failed", 0) + counts.get("error", 0)
        passes = done.returncode == 0 and passed > 0
        if not passes:
            print(done.stdout[-6000:], done.stderr[-3000:], file=sys.stderr)
        versions = (_installed(environment, name) for name in RANGED)
        return (*about, *versions, str(passed), str(failed), "passes" if passes else "fails")
    finally:
        for path in (environment, tree):
            shutil.rmtree(path, ignore_errors=True)


def _install(python: Path, case: Case, wheel: Path) -> str | None:
    """Install the wheel and the versions of ``case`` for ``python``; returns what pip says if it cannot."""
    pip = (python, "-m", "pip", "install", "--prefer-binary", "--disable-pip-version-check", "--quiet")
    others = [line for line in declared() if line.name not in map(_name, case.pins)]
    done = _run(*pip, "pytest>=8", *case.pins, *([wheel] if case.declared else others))
    if not done.returncode and not case.declared:
        done = _run(*pip, "--no-deps", wheel)
    return done.stderr[-1000:] if done.returncode else None


def _name(pin: str) -> str:
    return Requirement(pin).name


def _installed(environment: Path, name: str) -> str:
    (about,) = environment.glob(f"lib/python*/site-packages/{name}-*.dist-info")
    return about.name.removesuffix(".dist-info").rpartition("-")[2]


def _python_version(python: str) -> str:
    return _run(python, "-c", "import platform; print(platform.python_version())").stdout.strip()


def _run(*words, folder: Path | None = None) -> subprocess.CompletedProcess:
    """A command that sees no packages but those of its own Python."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", "PIP_CONSTRAINT")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"PYTHONNOUSERSITE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(list(map(str, words)), env=environment, cwd=folder, capture_output=True, text=True)


if __name__ == "__main__":
    run_tool(Measure, __doc__)
