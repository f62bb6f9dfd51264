"""Parse amounts of memory such as 4GB or 2GiB."""

from __future__ import annotations

import re

import typer

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(k|m|g|t)?(i)?b?\s*", re.IGNORECASE)
_POWERS = {"": 0.0, "k": 1.0, "m": 2.0, "g": 3.0, "t": 4.0}


def parse_size(text: str) -> int:
    """Parse an amount of memory into bytes.

    Raises:
        typer.BadParameter: the text is not an amount of memory.

    Example:
        >>> parse_size("4GB"), parse_size("1.5 GiB"), parse_size("800m")
        (4000000000, 1610612736, 800000000)
    """
    found = _SIZE.fullmatch(text)
    if found is None or (found[3] and not found[2]) or float(found[1]) == 0:
        raise typer.BadParameter(f"{text!r} is no amount of memory: write 4GB, 800MB or 2GiB")
    unit = 1024.0 if found[3] else 1000.0
    size: float = float(found[1]) * unit ** _POWERS[(found[2] or "").lower()]
    return round(size)
