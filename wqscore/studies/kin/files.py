"""Write the files of a comparison: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.studies.kin.kin import Kin


def write_kin(found: Kin, folder: Path) -> Path:
    """Write `kin.csv`, `kin.json`, `kin.md` and `index.html` into a folder, made if missing; return the page's path.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {"kin.csv": found.to_csv(), "kin.json": found.to_json(), "kin.md": found.to_markdown()}
    write_folder(folder, {**texts, "index.html": found.to_html()})
    return folder / "index.html"
