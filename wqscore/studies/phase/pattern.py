"""The checkpoints of a grid that lie in folders named after their cells: `runs/w{width}-b{batch_size}-s{seed}`."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from wqscore.errors import UsageError

_FIELD = re.compile(r"\{([^{}]*)\}")
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"


@dataclass(frozen=True)
class Place:
    """A checkpoint of a grid.

    Attributes:
        path: where it is.
        numbers: the fields of the pattern by name.
    """

    path: str
    numbers: dict[str, float]


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern of paths and not the path of a table."""
    return _FIELD.search(text) is not None


def places_of(pattern: str) -> list[Place]:
    """Find what fits a pattern, in natural order of its numbers.

    Args:
        pattern: a path in which `{name}` stands for a number, and `*` for anything within one folder's name.

    Raises:
        UsageError: a field has no name or occurs twice, or nothing fits.
    """
    fields = _FIELD.findall(pattern)
    if not all(fields) or len(set(fields)) < len(fields):
        raise UsageError(f"{pattern}: each field has a name of its own, such as {{width}}")
    literal = [
        re.sub(r"\\\*", r"[^/]*", re.escape(part)) for part in re.split(_FIELD.pattern, _slashes(pattern))[::2]
    ]
    expression = literal[0] + "".join(f"({_NUMBER}){part}" for part in literal[1:])
    wild = glob.escape(_FIELD.sub("*", _slashes(pattern))).replace("[*]", "*")
    found = []
    for path in glob.iglob(wild):  # noqa: PTH207
        match = re.fullmatch(expression, _slashes(path))
        if match:
            found.append(Place(str(Path(path)), dict(zip(fields, map(float, match.groups()), strict=True))))
    if not found:
        raise UsageError(f"{pattern}: nothing fits: name existing folders or files, numbers as {{fields}}")
    return sorted(found, key=lambda each: (list(each.numbers.values()), each.path))


def _slashes(path: str) -> str:
    return path.replace("\\", "/") if "\\" in path and Path("\\").as_posix() == "/" else path
