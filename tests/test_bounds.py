"""Fields are checked against their annotations, and every number in every setting has a range."""

import ast
import importlib
import runpy
import sys
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import pytest
from conftest import ROOT

from keras_resnet import InputError
from keras_resnet.bounds import Between, Length, check_fields, hints_of, marks


@dataclass(frozen=True)
class Inner:
    share: Annotated[float, Between(0, 1)] = 0.5


@dataclass(frozen=True)
class Example:
    count: Annotated[int, Between(1, 10)] | Literal["all"] | None = None
    sides: Annotated[tuple[Annotated[float, Between(1, 9)], ...], Length(1, 3)] = (1.0,)
    pair: tuple[int, bool] = (1, True)
    file: Path = Path("x")
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 0}, "--count 0 must be a whole number from 1 to 10 or all."),
        ({"count": "most"}, "--count 'most' must be a whole number from 1 to 10 or all."),
        ({"count": 1.0}, "--count 1.0 must be a whole number"),
        ({"sides": ()}, r"--sides \(\) must be values, each a finite number from 1 to 9 \(1 to 3 of them\)."),
        ({"sides": (1, 2, 3, 4)}, "1 to 3 of them"),
        ({"sides": (1, float("nan"))}, "--sides 1 nan must be values"),
        ({"sides": 3}, "--sides 3 must be values"),
        ({"pair": (1,)}, "--pair 1 must be 2 values"),
        ({"pair": (1, 1)}, "--pair 1 1 must be 2 values"),
        ({"file": Path("x" * 5000)}, "--file 'x+...?.* must be a path"),
        ({"file": 3}, "--file 3 must be a path"),
        ({"inner": Inner(2)}, "--share 2 must be a finite number from 0 to 1."),
    ],
)
def test_what_a_field_may_not_be_is_named_with_what_it_may(change, words):
    with pytest.raises(InputError, match=words) as caught:
        check_fields(Example(**change))
    assert len(str(caught.value)) < 500


def test_what_fits_is_left_alone():
    for change in ({"count": "all"}, {"count": 10}, {"sides": [1, 2.5]}, {"file": "a/b"}, {"pair": (-3, False)}):
        check_fields(Example(**change))


def declared() -> list[type]:
    """The dataclasses of settings of all recipes and tools."""
    classes = []
    sys.path.insert(0, str(ROOT / "tools"))
    for file in [*ROOT.glob("recipes/**/*.py"), *ROOT.glob("tools/*.py")]:
        names = [n.name for n in ast.parse(file.read_text()).body if isinstance(n, ast.ClassDef) and n.decorator_list]
        values = runpy.run_path(str(file)) if names else {}
        classes += [values[name] for name in names if is_dataclass(values[name])]
    sys.path.remove(str(ROOT / "tools"))
    for module, name in (
        ("specs", "NetSpec"),
        ("training.settings", "Settings"),
        ("training.own_photos", "PhotoSettings"),
        ("data.dividing", "Division"),
        ("training.cifar", "CifarSettings"),
        ("detection.training.detection_settings", "DetectionSettings"),
        ("localization.localization_settings", "LocalizationSettings"),
        ("studies.study_settings", "StudySettings"),
    ):
        classes.append(getattr(importlib.import_module(f"keras_resnet.{module}"), name))
    return classes


def test_every_number_of_every_recipe_and_tool_has_a_range():
    def ranged(hint) -> bool:
        if get_origin(hint) is Annotated and next(marks(hint, Between), None) and get_args(hint)[0] in (int, float):
            return True
        return hint not in (int, float) and (
            get_origin(hint) is Literal or all(ranged(part) for part in get_args(hint) if part is not Ellipsis)
        )

    classes = declared()
    assert len(classes) > 30
    without = [
        f"{cls.__name__}.{field.name}" for cls in classes for field in fields(cls)
        if not ranged(hints_of(cls)[field.name])
    ]  # fmt: skip
    assert without == []
