"""The command ``keras-resnet``: the programs of ``recipes/`` and ``tools/``, listed, found by name, and run.

The library imports none of them. In a checkout, both folders are beside the package; in an installation they are there
too, called ``keras_resnet_recipes`` and ``keras_resnet_tools``.
"""

import ast
import difflib
import os
import runpy
import sys
from pathlib import Path

from keras_resnet.command_line import refuse
from keras_resnet.errors import InputError, shown

HOME = Path(__file__).resolve().parents[1]
INSTALLED = (HOME / "keras_resnet_recipes").is_dir()
MAIN = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)
USAGE = "keras-resnet PROGRAM ARGUMENTS... runs a program; keras-resnet PROGRAM --help lists its arguments."
FOLDERS, OTHERS = {"recipes": "Train", "studies": "Studies"}, "Other tools"  # groups of the listing
TOOLS = {  # more groups; a tool in none of them is among the other tools
    "Test and use": (
        *("evaluate", "evaluate_detection", "compare_detectors", "evaluate_localization"),
        *("classify", "embed", "detect", "localize", "export", "export_detector", "convert_weights", "model_card"),
    ),
    "Look into": ("inspect_data", "find_mislabelled", "analyze", "table1", "report", "paper_map"),
    "Prepare and run": (
        "make_records",
        "convert_boxes",
        "pack_images",
        "study_on_jax",
        "launch_local",
        "campaign",
        "info",
    ),
    "Measure": ("benchmark", "scaling", "crash_test"),
}


def main() -> None:
    """``keras-resnet PROGRAM ARGUMENTS...`` runs ``python FILE ARGUMENTS...``; ``keras-resnet`` lists all programs."""
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        print(listing())
        return
    try:
        file = str(find(sys.argv[1]))
    except InputError as error:
        sys.exit(refuse(error))
    sys.argv[:2] = [file]
    sys.path.insert(0, os.path.dirname(file))
    runpy.run_path(file, run_name="__main__")


def listing() -> str:
    """All programs in groups, each with the first line of its docstring."""
    files = programs()
    groups: dict[str, list[str]] = {group: [] for group in (*FOLDERS.values(), *TOOLS, OTHERS)}
    for name, path in files.items():
        about = (ast.get_docstring(_parsed(path)) or "").partition("\n")[0]
        groups[_group_of(name, path)].append(f"  {name:{max(map(len, files))}}  {about}")
    return "\n".join([USAGE, *("\n".join(["", group, *lines]) for group, lines in groups.items() if lines)])


def find(name: str) -> Path:
    """The file of the program called ``name``; ``studies/`` may be left out.

    Raises:
        InputError: there is no such program; the message names the closest one.
    """
    files = programs()
    by_stem = {path.stem: path for path in files.values()}
    if name not in files | by_stem:
        (closest,) = difflib.get_close_matches(Path(name).stem, by_stem, n=1, cutoff=0)
        raise InputError(
            f"There is no program {shown(name)}: did you mean {closest}? keras-resnet without a program lists them."
        )
    return (files | by_stem)[name]


def programs() -> dict[str, Path]:
    """The files with a block for ``__main__``, by name, such as ``imagenet``, ``studies/seeds`` and ``evaluate``."""
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for folder in map(folder_of, ("recipes", "tools"))
        for path in sorted(folder.rglob("*.py"))
        if any(isinstance(line, ast.If) and ast.dump(line.test) == MAIN for line in _parsed(path).body)
    }


def checkout(what: str) -> Path:
    """The root folder of this checkout.

    Raises:
        InputError: this is an installation; the message begins with ``what``, which needs a checkout.
    """
    if INSTALLED:
        raise InputError(f"{what} needs a checkout of keras_resnet, and this is an installation: run it in a checkout.")
    return HOME


def _group_of(name: str, path: Path) -> str:
    group = next((group for group, tools in TOOLS.items() if name in tools), None)
    return group or FOLDERS.get(path.parent.name.removeprefix("keras_resnet_"), OTHERS)


def folder_of(name: str) -> Path:
    """The folder of ``"recipes"`` or ``"tools"``, in a checkout or an installation."""
    return HOME / (f"keras_resnet_{name}" if INSTALLED else name)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes())
