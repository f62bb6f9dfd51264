"""Escape text in CSV files that a spreadsheet would run as a formula.

Names come from strangers: a checkpoint may call a tensor `=HYPERLINK(…)`. An apostrophe in front makes spreadsheets
read such a name as text (OWASP, "CSV Injection"); our own readers remove it.
"""

from __future__ import annotations

import re

#: Characters that begin a formula; the full-width ones do in Chinese and Japanese spreadsheets.
_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def escape_formula(text: str) -> str:
    """Put an apostrophe in front of text that a spreadsheet would take for a formula.

    Example:
        >>> escape_formula("=1+1"), escape_formula("-0.5"), escape_formula("layers.0")
        ("'=1+1", '-0.5', 'layers.0')
    """
    return f"'{text}" if _is_formula(text) else text


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether text begins a formula, apostrophes in front ignored, so that escaping twice can be undone twice.

    A `-` alone is not a formula: it marks a missing value.
    """
    bare = text.lstrip("'")
    return bare != "-" and bare.startswith(_STARTS) and not _NUMBER.fullmatch(bare)
