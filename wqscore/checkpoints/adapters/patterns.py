r"""Regular expressions from `adapter_config.json`, matched by RE2 in time that grows with the text.

Python's `re`, which peft uses, backtracks: twenty characters of a stranger's file can keep it busy for ever. RE2
reads the same syntax without look-around and back-references; its `\d \w \s` are those of ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MAX_CHARACTERS = 1000
#: What RE2 keeps of one pattern, in bytes; its package holds on to 128 of them.
_MAX_MEMORY = 1 << 20
#: Read by both, but not alike: `{,3}`, `[[:alpha:]]`, and escapes that Python lacks.
_READ_OTHERWISE = re.compile(r"\{,|\[:|\\[pPCQz]")


class PatternError(Exception):
    """A pattern that is too large, or of a syntax that is not read."""


def compile_pattern(pattern: str) -> tuple[Callable[[str], bool], int]:
    r"""Compile a pattern.

    Returns:
        Whether a text begins with a match, as a function, and the size of the compiled program: the time that a text
        takes grows with size × length at the worst.

    Raises:
        PatternError: the pattern is not read, or google-re2 is not installed.
    """
    try:
        import re2
    except ImportError as error:
        raise PatternError("regular expressions need google-re2: pip install 'wqscore[adapters]'") from error
    if len(pattern) > _MAX_CHARACTERS:
        raise PatternError(f"longer than {_MAX_CHARACTERS} characters")
    if found := _READ_OTHERWISE.search(pattern):
        raise PatternError(f"{found[0]} means something else to RE2 than to peft")
    options = re2.Options()
    options.max_mem, options.never_capture, options.log_errors = _MAX_MEMORY, True, False
    try:
        compiled = re2.compile(_bytes(pattern), options)
    except re2.error as error:
        raise PatternError(error.args[0].decode("utf-8", "replace")[:80]) from error
    return lambda text: compiled.match(_bytes(text)) is not None, compiled.programsize


def _bytes(text: str) -> bytes:
    # Half of a surrogate pair, which JSON can hold, is a character to both.
    return text.encode("utf-8", "surrogatepass")
