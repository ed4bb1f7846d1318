"""The command line of a settings dataclass: flags in two groups, shown with the values that will be used."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

T = TypeVar("T")
RARE = "rare"
Rare = Annotated[T, RARE]
"""``Rare[int]`` is the type of a setting that few runs change; ``--help`` lists these in a group at the end."""


def read_flags(defaults: T, description: str, presets: Mapping[str, dict]) -> T:
    """``defaults``, with the values that the command line gives.

    Args:
        defaults: a dataclass whose fields have docstrings.
        description: the text of ``--help`` before the flags.
        presets: for ``--help`` only: the values of settings left unset, by name, for each kind of data.
    """
    import tyro
    from docstring_parser import parse_from_object

    classes = [cls for cls in reversed(type(defaults).__mro__) if is_dataclass(cls)]
    docs = {param.arg_name: param.description for cls in classes for param in parse_from_object(cls).params}
    hints = get_type_hints(type(defaults), include_extras=True)
    groups: dict[str, list[tuple]] = {"common": [], RARE: []}
    for setting in fields(defaults):  # type: ignore[arg-type]
        name, value, hint = setting.name, getattr(defaults, setting.name), hints[setting.name]
        default = f"(default: {_text(value)})" if value is not None else _preset_default(name, presets)
        metavar = "NAME ..." if isinstance(value, tuple) and not value else None  # else all names twice, and long lines
        flag = tyro.conf.arg(help=" ".join((docs[name] or "").split()), help_behavior_hint=default, metavar=metavar)
        group = RARE if RARE in getattr(hint, "__metadata__", ()) else "common"
        groups[group].append((name, Annotated[hint, flag], field(default=value)))
    without_prefix: Any = tyro.conf.OmitArgPrefixes
    parts: list[tuple[str, Any]] = [
        (name, without_prefix[make_dataclass(name, flags, frozen=True)]) for name, flags in groups.items() if flags
    ]
    parsed: Any = tyro.cli(make_dataclass("Flags", parts), description=description)
    return type(defaults)(**{name: value for group in vars(parsed).values() for name, value in vars(group).items()})


def _preset_default(name: str, presets: Mapping[str, dict]) -> str:
    """The values of a setting left unset, in words."""
    values = {kind: _text(preset[name]) for kind, preset in presets.items() if name in preset}
    if len(set(values.values())) == 1 and len(values) == len(presets):
        return f"(default: {next(iter(values.values()))})"
    return f"(default: {', '.join(f'{value} for {kind}' for kind, value in values.items())})" if values else ""


def _text(value) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple) else str(value)
