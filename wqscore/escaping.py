"""Make names from checkpoints safe and short enough to display."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Control characters other than tab and line feed, and those that change the direction of text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
#: What a runner of a pipeline takes for a command: at the start of a line, spaces ignored; `##[` and `##vso[` also
#: anywhere in it.
_COMMAND = re.compile(r"^(\s*)(:(?=:)|#(?=#))|#(?=#(?:vso)?\[)", re.MULTILINE)


def without_commands(text: str) -> str:
    r"""Escape what GitHub (`::error::`), Azure (`##vso[`, `##[`) and TeamCity (`##teamcity[`) would obey in a log.

    Example:
        >>> without_commands("::error::hand-made.weight  2.1")
        '\\x3a:error::hand-made.weight  2.1'
    """
    return _COMMAND.sub(lambda found: f"{found[1] or ''}\\x{ord(found[0][-1]):02x}", text)


def without_controls(text: str) -> str:
    r"""Escape the characters that a terminal obeys, tabs and line ends aside; the text keeps its lines.

    Example:
        >>> without_controls("a\tb\n\x1b[2J")
        'a\tb\n\\x1b[2J'
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


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
