"""Make names from checkpoints safe and short enough to display."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    r"""Escape characters that would move a terminal's cursor, change its colour, reverse the text or break the line.

    Example:
        >>> printable("layer\n0 \x1b[31m")
        'layer\\n0 \\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listed(names: Sequence[str], most: int) -> str:
    """Join names with commas, showing at most `most` of them.

    Example:
        >>> listed(["a", "b", "c", "d"], most=3)
        'a, b, c and 1 more'
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"
