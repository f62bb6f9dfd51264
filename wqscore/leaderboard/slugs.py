"""Names of files for the names of models and families."""

from __future__ import annotations

import hashlib
import re

_PART = r"[a-z0-9]+([._-][a-z0-9]+)*"
_PLAIN = re.compile(rf"{_PART}(/{_PART})?")
#: What no file name here has; nor two dots in a row, which elsewhere stand for the folder above.
_OTHER = re.compile(r"[^a-z0-9._]+|\.{2,}")
#: So that a name with its digest and ending stays far below the 255 bytes a file system allows.
_LONGEST = 60


def slug(name: str) -> str:
    """A file name for a name: the same each night, another for each name, on file systems without capitals too.

    A name of plain letters is its own, with `--` for the slash; any other has a `~` and a digest, so that no two can
    be alike.

    Example:
        >>> slug("org/name"), slug("Org/Name")
        ('org--name', 'org-name~1d42e08d')
    """
    if _PLAIN.fullmatch(name) and len(name) <= _LONGEST:
        return name.replace("/", "--")
    digest = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    readable = _OTHER.sub("-", name.lower().replace("/", "--")).strip("-._")[:_LONGEST].strip("-._")
    return f"{readable or 'model'}~{digest}"
