"""Counts, names and times as sentences have them."""

from collections.abc import Sequence

MAX_NAMED = 5


def counted(count: int, noun: str) -> str:
    """``1 photo`` or ``2 photos``, ``1 box`` or ``2 boxes``."""
    ending = "" if count == 1 else "es" if noun.endswith("x") else "s"
    return f"{count:,} {noun}{ending}"


def are(count: int) -> str:
    """``is`` or ``are``."""
    return "is" if count == 1 else "are"


def named(names: Sequence[str]) -> str:
    """The first five of ``names`` of classes, and how many other classes there are."""
    others = len(names) - MAX_NAMED
    more = f" and {others:,} other class{'es' if others > 1 else ''}" if others > 0 else ""
    return ", ".join(names[:MAX_NAMED]) + more


def duration(seconds: float) -> str:
    """``45 s``, ``12 min`` or ``3.2 h``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"
