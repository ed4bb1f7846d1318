"""The command line of a dataclass of settings: its flags in two groups, with the values that will be used."""

from collections.abc import Mapping
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

T = TypeVar("T")
RARE = "rare"
Rare = Annotated[T, RARE]
"""``Rare[int]`` is the type of a setting that few runs change: ``--help`` has it in a group of its own, at the end."""


def read_flags(defaults: T, description: str, presets: Mapping[str, dict]) -> T:
    """Settings like ``defaults`` with what the command line gives.

    Args:
        defaults: a dataclass whose fields have docstrings.
        description: what ``--help`` says before it lists the flags.
        presets: for ``--help`` alone, what settings left unset become, by name, for each kind of data.
    """
    import tyro
    from docstring_parser import parse_from_object

    classes = [cls for cls in reversed(type(defaults).__mro__) if is_dataclass(cls)]
    words = {each.arg_name: each.description for cls in classes for each in parse_from_object(cls).params}
    hints = get_type_hints(type(defaults), include_extras=True)
    groups: dict[str, list[tuple]] = {"common": [], RARE: []}
    for each in fields(defaults):  # type: ignore[arg-type]
        name, value, hint = each.name, getattr(defaults, each.name), hints[each.name]
        shown = f"(default: {_shown(value)})" if value is not None else _filled(name, presets)
        flag = tyro.conf.arg(help=" ".join((words[name] or "").split()), help_behavior_hint=shown)
        group = RARE if RARE in getattr(hint, "__metadata__", ()) else "common"
        groups[group].append((name, Annotated[hint, flag], field(default=value)))
    without_prefix: Any = tyro.conf.OmitArgPrefixes
    parts: list[tuple[str, Any]] = [
        (name, without_prefix[make_dataclass(name, flags, frozen=True)]) for name, flags in groups.items() if flags
    ]
    found: Any = tyro.cli(make_dataclass("Flags", parts), description=description)
    return type(defaults)(**{name: value for group in vars(found).values() for name, value in vars(group).items()})


def _filled(name: str, presets: Mapping[str, dict]) -> str:
    """What an unset setting becomes, in words."""
    values = {kind: _shown(preset[name]) for kind, preset in presets.items() if name in preset}
    if len(set(values.values())) == 1 and len(values) == len(presets):
        return f"(default: {next(iter(values.values()))})"
    return f"(default: {', '.join(f'{value} for {kind}' for kind, value in values.items())})" if values else ""


def _shown(value) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
