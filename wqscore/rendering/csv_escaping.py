"""Text in CSV files that a spreadsheet would take for a formula.

A name that begins so gets an apostrophe in front, at which spreadsheets read text (OWASP, "CSV Injection"). Names
come from strangers: `=HYPERLINK(…)` is a name that a checkpoint may have. Our own readers take the apostrophe away.
"""

from __future__ import annotations

import re

#: What begins a formula; full-width forms do where the spreadsheet speaks Chinese or Japanese.
_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def escape_formula(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    Example:
        >>> escape_formula("=1+1"), escape_formula("-0.5"), escape_formula("layers.0")
        ("'=1+1", '-0.5', 'layers.0')
    """
    return f"'{text}" if _is_formula(text) else text


def unescape_formula(text: str) -> str:
    """The text that was guarded."""
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def _is_formula(text: str) -> bool:
    """Whether it begins a formula, behind apostrophes or not: so that what is guarded twice comes back twice.

    A `-` alone is none: it stands where there is nothing to say.
    """
    bare = text.lstrip("'")
    return bare != "-" and bare.startswith(_STARTS) and not _NUMBER.fullmatch(bare)
