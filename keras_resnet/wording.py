"""Counts as sentences have them."""


def counted(count: int, noun: str) -> str:
    """``1 photo`` or ``2 photos``, ``1 box`` or ``2 boxes``."""
    ending = "" if count == 1 else "es" if noun.endswith("x") else "s"
    return f"{count:,} {noun}{ending}"


def are(count: int) -> str:
    """``is`` or ``are``."""
    return "is" if count == 1 else "are"
