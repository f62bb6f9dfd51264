"""Write the files of a screening: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.studies.screen.screen import Screening


def write_screening(found: Screening, folder: Path) -> Path:
    """Write screen.csv, screen.json, screen.md and index.html into a folder; return the page's path.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {"screen.csv": found.to_csv(), "screen.json": found.to_json(), "screen.md": found.to_markdown()}
    write_folder(folder, texts | {"index.html": found.to_html()})
    return folder / "index.html"
