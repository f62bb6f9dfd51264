"""Names from checkpoints as text that is safe to show."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Escape what would move a terminal's cursor, colour it, reverse the text or break the line.

    Example:
        >>> printable("layer\n0 \x1b[31m")
        'layer\\n0 \\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
