"""Names from checkpoints as text that is safe and short to show."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    r"""Escape what would move a terminal's cursor, colour it, reverse the text or break the line.

    Example:
        >>> printable("layer\n0 \x1b[31m")
        'layer\\n0 \\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listed(names: Sequence[str], most: int) -> str:
    """Names in a line, the first few if there are many.

    Example:
        >>> listed(["a", "b", "c", "d"], most=3)
        'a, b, c and 1 more'
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"
