"""File names for models and families."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from wqscore.refs.file_names import is_plain

#: What no file name here has; nor two dots in a row, which elsewhere stand for the folder above.
_OTHER = re.compile(r"[^A-Za-z0-9._-]+|\.{2,}")
#: Longest readable part: with digest and ending a name stays far below a file system's 255 bytes.
_LONGEST = 60
_PART = r"[a-z0-9]+([._-][a-z0-9]+)*"
_OTHER_IN_0_5_0 = re.compile(r"[^a-z0-9._]+|\.{2,}")
_PLAIN_IN_0_5_0 = re.compile(rf"{_PART}(/{_PART})?")


def file_names(first_nights: Mapping[str, str]) -> dict[str, str]:
    """Name a file for each model: its name, with `--` for the slash, and `~` and a digest only where two collide.

    Names that differ in case alone collide, as on some file systems. The one that the site knew first keeps its file.

    Args:
        first_nights: for each name the night on which the site first had it, as an ISO date.

    Example:
        >>> file_names({"Org/Name": "2026-01-01", "org/name": "2026-01-02"})
        {'Org/Name': 'Org--Name', 'org/name': 'org--name~7e624f06'}
    """
    made: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(first_nights, key=lambda each: (first_nights[each], each)):
        file = _readable(name)
        if file.lower() in taken:
            file = f"{file}~{_digest(name)}"
        taken.add(file.lower())
        made[name] = file
    return made


def file_name_of_0_5_0(name: str) -> str:
    """The file name that wqscore 0.5.0 gave a model, so that its records are found."""
    if _PLAIN_IN_0_5_0.fullmatch(name) and len(name) <= _LONGEST:
        return name.replace("/", "--")
    return f"{_readable(name.lower(), _OTHER_IN_0_5_0)}~{_digest(name)}"


def _readable(name: str, other: re.Pattern[str] = _OTHER) -> str:
    readable = other.sub("-", name.replace("/", "--")).strip("-._")[:_LONGEST].strip("-._")
    return readable if is_plain(readable) else f"model{readable}"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
