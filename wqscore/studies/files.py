"""Write the files of a study: all of them, complete, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.results import Result, formats_of


def write_study(found: Result, folder: Path, name: str, more: Mapping[str, str] | None = None) -> Path | None:
    """Write `name.csv`, `name.json` and `name.md`, and of a study with a page `index.html`, into a folder.

    It is created if missing. Returns the page's path, if there is one.

    Args:
        found: the study.
        folder: the folder to write to.
        name: the study's name.
        more: further files of the study, text by name.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {f"{name}.csv": found.to_csv(), f"{name}.json": found.to_json(), f"{name}.md": found.to_markdown()}
    texts |= more or {}
    if "html" in formats_of(found):
        texts["index.html"] = found.to_html()
    write_folder(folder, texts)
    return folder / "index.html" if "index.html" in texts else None
