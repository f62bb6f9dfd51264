"""Names of models for a person: paths without the folders that all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from wqscore.refs.reference import ModelRef


def short_names(refs: Sequence[ModelRef]) -> list[str]:
    """Name models, those on disk without their common leading folders.

    Example:
        >>> runs = [ModelRef(f"runs/{name}", "folder") for name in ("a", "b")]
        >>> short_names([*runs, ModelRef("org/m", "hub", repo="org/m")])
        ['a', 'b', 'org/m']
    """
    paths = [ref.label.split("/") for ref in refs if _is_path(ref)]
    levels = zip(*(path[:-1] for path in paths), strict=False) if len(paths) > 1 else ()
    shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    return ["/".join(ref.label.split("/")[shared:]) if _is_path(ref) else ref.label for ref in refs]


def _is_path(ref: ModelRef) -> bool:
    return ref.source in ("folder", "file") and not (ref.adapter or ref.name or ref.missing)
