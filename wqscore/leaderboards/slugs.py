"""File names for models and families."""

from __future__ import annotations

import hashlib
import re

_PART = r"[a-z0-9]+([._-][a-z0-9]+)*"
_PLAIN = re.compile(rf"{_PART}(/{_PART})?")
#: What no file name here has; nor two dots in a row, which elsewhere stand for the folder above.
_OTHER = re.compile(r"[^a-z0-9._]+|\.{2,}")
#: Longest readable part: with digest and ending a name stays far below a file system's 255 bytes.
_LONGEST = 60


def slug(name: str) -> str:
    """Return a file name for a name: always the same, and unique even on case-insensitive file systems.

    A plain lower-case name is used unchanged, with `--` for the slash; any other gets a `~` and a digest.

    Example:
        >>> slug("org/name"), slug("Org/Name")
        ('org--name', 'org-name~1d42e08d')
    """
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST:
        return name.replace("/", "--")
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    readable = _OTHER.sub("-", name.lower().replace("/", "--")).strip("-._")[:_LONGEST].strip("-._")
    return f"{readable or 'model'}~{digest}"
