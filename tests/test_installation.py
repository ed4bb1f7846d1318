"""Package, recipes and tools are installed together, and ``keras-resnet`` runs them without a checkout."""

import configparser
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile

import pytest
from conftest import ROOT
from programs import load_program

FOLDERS = {"keras_resnet": "keras_resnet", "recipes": "keras_resnet_recipes", "tools": "keras_resnet_tools"}
distributions = load_program("tests/compatibility/distributions.py")

PROGRAMS = {
    path.stem
    for folder in ("recipes", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if "\nif __name__" in path.read_text()
}


def run(*words, **how):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(list(map(str, words)), env=environment, capture_output=True, text=True, **how)


def listed(command, folder):
    """The programs that ``keras-resnet`` lists in ``folder``."""
    completed = run(command, cwd=folder)
    assert (completed.returncode, completed.stderr) == (0, "")
    return {line.split()[0].rpartition("/")[2] for line in completed.stdout.splitlines() if line.startswith("  ")}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return distributions.copy_of_the_tree(tmp_path_factory.mktemp("source") / "tree")


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    return distributions.build("wheel", source, tmp_path_factory.mktemp("wheel"))


def environment(folder, wheel):
    """The folder of programs of a new environment with ``wheel``; all else comes from the environment of the tests.

    And the file that the package is imported from there.
    """
    venv.create(folder)
    programs = folder / "bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python", "install", "--no-deps", wheel)
    completed = run(*pip, cwd=folder)
    assert completed.returncode == 0, completed.stderr
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = run(programs / "python", "-c", ask).stdout.strip()
    others = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    with open(f"{packages}/others.pth", "w") as file:  # whose own .pth files, of a checkout, are not read
        file.write("\n".join(others))
    ask = "import keras_resnet, keras_resnet_recipes.studies, keras_resnet_tools; print(keras_resnet.__file__)"
    completed = run(programs / "python", "-c", ask, cwd=folder)
    assert completed.returncode == 0, completed.stderr
    return programs, completed.stdout.strip()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The command ``keras-resnet`` of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    programs, file = environment(folder, wheel)
    assert file.startswith(f"{folder}/lib/")
    assert file.endswith("/site-packages/keras_resnet/__init__.py")
    return programs / "keras-resnet"


def test_every_folder_with_programs_or_modules_is_a_package():
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg")
    places = {path.parent.relative_to(ROOT) for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
    packages = {".".join((FOLDERS[place.parts[0]], *place.parts[1:])) for place in places}
    assert sorted(options["options"]["packages"].split()) == sorted(packages)


@pytest.mark.long
def test_the_wheel_has_every_file_once_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    about = {name for name in contents if ".dist-info/" in name}
    expected = {
        f"{package}/{path.relative_to(ROOT / folder).as_posix()}": path.read_bytes()
        for folder, package in FOLDERS.items()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name: contents[name] for name in contents.keys() - about} == expected
    (licence,) = [contents[name] for name in about if name.endswith("/LICENSE")]
    assert licence == (ROOT / "LICENSE").read_bytes()


@pytest.mark.long
def test_the_source_distribution_gives_the_same_wheel(source, wheel, tmp_path):
    sdist = distributions.build("sdist", source, tmp_path)
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = distributions.build("wheel", unpacked, tmp_path)
    contents = []
    for path in (wheel, again):
        with zipfile.ZipFile(path) as archive:
            contents.append({name: archive.read(name) for name in archive.namelist()})
    assert contents[0] == contents[1]


@pytest.mark.long
def test_an_installation_lists_its_programs_and_says_what_needs_a_checkout(installed, tmp_path):
    assert listed(installed, tmp_path) == PROGRAMS
    completed = run(installed, "evalute", cwd=tmp_path)
    assert (completed.returncode, completed.stderr.count("\n")) == (2, 1)
    assert completed.stderr.startswith("keras-resnet: There is no program 'evalute': did you mean evaluate?")
    for words, sentence in (
        (["paper_map"], "paper_map.py: Writing docs/ needs a checkout of keras_resnet"),
        (["campaign", "queue.txt", "--commit", "HEAD"], "campaign.py: --commit needs a checkout of keras_resnet"),
        (["studies/degradation", "--seeds", 0], "degradation.py: --seeds 0 must be"),
        (["degradation", "--seeds", 0], "degradation.py: --seeds 0 must be"),
    ):
        (tmp_path / "queue.txt").write_text("one: keras-resnet --help\n")
        completed = run(installed, *words, cwd=tmp_path)
        assert (completed.returncode, completed.stdout) == (2, "")
        assert completed.stderr.startswith(sentence)
    completed = run(installed, "campaign", "queue.txt", cwd=tmp_path)
    assert completed.stdout.startswith("one: done"), completed.stderr
    assert "  imagenet " in (tmp_path / "queue.txt.d" / "one.log").read_text()


@pytest.mark.long
def test_an_editable_installation_runs_what_its_checkout_has(source, tmp_path):
    build = "import sys; from setuptools.build_meta import build_editable; build_editable(sys.argv[1])"
    completed = run(sys.executable, "-c", build, tmp_path, cwd=source)  # as pip install --editable has it built
    assert completed.returncode == 0, completed.stderr
    programs, file = environment(tmp_path / "environment", *tmp_path.glob("*.whl"))
    assert file == str(source / "keras_resnet" / "__init__.py")
    assert listed(programs / "keras-resnet", tmp_path) == PROGRAMS
    (source / "tools" / "added.py").write_text("if __name__ == '__main__':\n    print(__file__)\n")
    try:
        assert run(programs / "keras-resnet", "added", cwd=tmp_path).stdout == f"{source}/tools/added.py\n"
    finally:
        (source / "tools" / "added.py").unlink()


@pytest.mark.long
@pytest.mark.slow
def test_an_installation_trains_refuses_and_evaluates(installed, tmp_path):
    words = ("--steps", 3, "--batch-size", 8, "--change", "blocks=[1,1,1]", "--workdir", "run")
    completed = run(installed, "imagenet", *words, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["steps"], result["commit"]) == (3, "unknown")
    completed = run(installed, "imagenet", *words, "--base-lr", -1, cwd=tmp_path)
    assert completed.returncode == 2
    assert completed.stderr.startswith("imagenet.py: --base-lr -1")
    words = ("--model", "run/last.keras", "--data", "demo", "--json", "errors.json")
    completed = run(installed, "evaluate", *words, cwd=tmp_path)
    assert completed.returncode == 0, completed.stderr
    errors = json.loads((tmp_path / "errors.json").read_text())
    (wrong,) = errors["wrong"].values()
    assert 100 * wrong["top-1"] / errors["photos"] == pytest.approx(result["val_error"])


def test_every_file_that_names_the_version_has_the_project_s():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
