"""``keras-resnet`` lists every program with its docstring, runs it as Python would, and suggests the closest name."""

import ast
import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT

from keras_resnet import programs
from keras_resnet.errors import InputError

START = "from keras_resnet.programs import main; main()"
HEAVY = ("keras", "tensorflow", "numpy")
STARTED = sorted(  # by what their text says, where the command looks at the syntax
    path
    for folder in ("recipes", "tools")
    for path in (ROOT / folder).rglob("*.py")
    if path.read_text().rstrip().splitlines()[-5:].count('if __name__ == "__main__":')
)


def started(*words, **how):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", START, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, **how)


@pytest.mark.long
def test_every_program_is_found_under_one_name():
    assert sorted(programs.programs().values()) == STARTED
    stems = [path.stem for path in STARTED]
    assert len(set(stems)) == len(stems) > 25
    assert "benchmark_turns" not in stems
    for path in STARTED[::8]:
        assert programs.find(path.stem) == path
    assert programs.find("studies/seeds") == ROOT / "recipes" / "studies" / "seeds.py"


def test_the_listing_has_a_line_of_each_program_s_own_words():
    completed = started()
    assert (completed.returncode, completed.stderr) == (0, "")
    assert started("--help").stdout == completed.stdout
    lines = [line.split(maxsplit=1) for line in completed.stdout.splitlines() if line.startswith("  ")]
    words = {path.stem: path.read_text().removeprefix('"""').splitlines()[0] for path in STARTED}
    assert {name.removeprefix("studies/"): said for name, said in lines} == words
    groups = [line for line in completed.stdout.splitlines()[1:] if line and not line.startswith(" ")]
    assert groups == [*programs.FOLDERS.values(), *programs.TOOLS]  # no tool has been left to the others


def test_listing_imports_nothing_heavy():
    code = f"{START}; import sys; sys.exit(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (completed.stdout.count("\n") > 30, completed.stderr.strip()) == (True, "")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("degredation", "degradation"),
        ("studies/sedes", "seeds"),
        ("convert-weights", "convert_weights"),
        ("recipes/cifar.py", "cifar10"),
        ("benchmark_turns", "benchmark"),
    ],
)
def test_an_unknown_name_ends_in_a_sentence_with_the_closest_one(wrong, meant):
    with pytest.raises(InputError, match=f"^There is no program '{wrong}': did you mean {meant}\\?"):
        programs.find(wrong)


def test_an_unknown_name_is_status_2():
    completed = started("evalute")
    assert (completed.returncode, completed.stdout) == (2, "")
    assert completed.stderr.endswith(
        "There is no program 'evalute': did you mean evaluate? keras-resnet without a program lists them.\n"
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "words",
    [
        ("imagenet", "--batch-size", "0"),
        ("imagenet", "--data", ""),
        ("studies/seeds", "--arms", "none"),
        ("table1", "--formt", "csv"),
        ("analyze", "cost", "--help"),  # whose file imports others of its folder
        ("launch_local", "0", "x.py"),
    ],
)
def test_a_program_says_and_ends_as_python_would_have_it(words, tmp_path):
    file = next(path for path in STARTED if path.stem == words[0].rpartition("/")[2])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    direct = subprocess.run(
        [sys.executable, str(file), *words[1:]], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    by_command = started(*words, cwd=tmp_path)
    assert (by_command.returncode, by_command.stdout, by_command.stderr) == (
        direct.returncode,
        direct.stdout,
        direct.stderr,
    )
    assert by_command.stdout + by_command.stderr


def test_a_program_sees_the_words_and_the_folder_that_python_gives_it(tmp_path, monkeypatch):
    """A program in a folder that looks like an installation, with a helper module beside it."""
    folder = tmp_path / "keras_resnet_tools"
    folder.mkdir()
    (tmp_path / "keras_resnet_recipes").mkdir()
    (folder / "its_helper.py").write_text("SAID = 'helped'")
    text = "import json, sys, its_helper\nif __name__ == '__main__':\n    "
    (folder / "probe.py").write_text(f"{text}print(json.dumps([sys.argv, sys.path[0], its_helper.SAID, __file__]))\n")
    monkeypatch.setattr(programs, "HOME", tmp_path)
    monkeypatch.setattr(programs, "INSTALLED", True)
    assert programs.programs() == {"probe": folder / "probe.py"}
    code = f"""
from pathlib import Path
from keras_resnet import programs
programs.HOME, programs.INSTALLED = Path({str(tmp_path)!r}), True
programs.main()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, "probe", "a", "--b"]
    completed = subprocess.run(command, env=environment, capture_output=True, text=True)
    file = str(folder / "probe.py")
    assert json.loads(completed.stdout) == [[file, "a", "--b"], str(folder), "helped", file]
    assert programs.listing().splitlines()[-2:] == ["Other tools", "  probe  "]


def test_what_needs_a_checkout_says_so_in_an_installation(monkeypatch):
    assert programs.checkout("This") == ROOT
    monkeypatch.setattr(programs, "INSTALLED", True)
    with pytest.raises(InputError, match=r"^This needs a checkout of keras_resnet, and this is an installation"):
        programs.checkout("This")


@pytest.mark.long
def test_the_library_imports_neither_recipes_nor_tools():
    theirs = {path.stem for folder in ("recipes", "tools") for path in (ROOT / folder).rglob("*.py")}
    theirs |= {"recipes", "tools", "keras_resnet_recipes", "keras_resnet_tools"}
    for path in (ROOT / "keras_resnet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.partition(".")[0] for name in names} & theirs, path
