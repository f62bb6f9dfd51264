r"""Match regular expressions from `adapter_config.json` with RE2, in time linear in the text.

Python's `re`, which peft uses, backtracks: a pattern of twenty characters in an untrusted file can keep it busy for
ever. RE2 has the same syntax without look-around and back-references; its `\d \w \s` match ASCII only.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MAX_CHARACTERS = 1000
#: Memory limit of one compiled pattern, in bytes; the package caches 128 of them.
_MAX_MEMORY = 1 << 20
#: Syntax that RE2 and Python read differently: `{,3}`, `[[:alpha:]]`, and escapes that Python lacks.
_AMBIGUOUS = re.compile(r"\{,|\[:|\\[pPCQz]")


class PatternError(Exception):
    """A pattern that is too large, or whose syntax is not supported."""


def compile_pattern(pattern: str) -> tuple[Callable[[str], bool], int]:
    r"""Compile a pattern.

    Returns:
        A function that says whether a text begins with a match, and the size of the compiled program: matching a
        text takes time proportional to size × length at worst.

    Raises:
        PatternError: the pattern is not supported, or google-re2 is not installed.
    """
    try:
        import re2
    except ImportError as error:
        raise PatternError("regular expressions need google-re2: pip install 'wqscore[adapters]'") from error
    if len(pattern) > _MAX_CHARACTERS:
        raise PatternError(f"longer than {_MAX_CHARACTERS} characters")
    if found := _AMBIGUOUS.search(pattern):
        raise PatternError(f"{found[0]} means something else to RE2 than to peft")
    options = re2.Options()
    options.max_mem, options.never_capture, options.log_errors = _MAX_MEMORY, True, False
    try:
        compiled = re2.compile(_bytes(pattern), options)
    except re2.error as error:
        raise PatternError(error.args[0].decode("utf-8", "replace")[:80]) from error
    return lambda text: compiled.match(_bytes(text)) is not None, compiled.programsize


def _bytes(text: str) -> bytes:
    # JSON can hold a lone surrogate, which Python and RE2 both treat as one character.
    return text.encode("utf-8", "surrogatepass")
