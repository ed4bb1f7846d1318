"""Public functions have annotations, so that mypy checks their bodies and editors show their types."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
ROOMS = sorted(path.parent.relative_to(ROOT) for path in (ROOT / "keras_resnet").rglob("__init__.py"))
MOST_PARAMETERS = 7
BUILDERS = ("build",)  # of networks: they have the signature of keras.applications'


def public_functions(body: list[ast.stmt], prefix: str = "") -> list[tuple[str, FUNCTION]]:
    """Functions and methods whose names, and whose classes' names, have no leading underscore; and ``__init__``."""
    functions = []
    for node in body:
        if isinstance(node, FUNCTION) and (not node.name.startswith("_") or node.name == "__init__"):
            functions.append((prefix + node.name, node))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            functions += public_functions(node.body, f"{node.name}.")
    return functions


def parameters(function: FUNCTION, method: bool) -> list[ast.arg]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args]
    static = any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod" for decorator in function.decorator_list
    )
    return [*named[method and not static :], *arguments.kwonlyargs]


def functions_of(room: Path):
    for path in sorted((ROOT / room).glob("*.py")):
        for name, function in public_functions(ast.parse(path.read_text()).body):
            yield f"{path.name}: {name}", name, function


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_every_public_function_is_annotated(room):
    incomplete = []
    for place, name, function in functions_of(room):
        taken = parameters(function, "." in name)
        taken += [argument for argument in (function.args.vararg, function.args.kwarg) if argument]
        missing = [argument.arg for argument in taken if argument.annotation is None]
        if function.returns is None and function.name != "__init__":
            missing.append("return")
        incomplete += [f"{place} ({', '.join(missing)})"] if missing else []
    assert incomplete == []


@pytest.mark.parametrize("room", ROOMS, ids=str)
def test_no_public_function_takes_more_than_seven_parameters(room):
    functions = [named for named in functions_of(room) if named[1] not in BUILDERS]
    many = [place for place, name, function in functions if len(parameters(function, "." in name)) > MOST_PARAMETERS]
    assert many == []
