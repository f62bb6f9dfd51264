"""Write the files of a grid's phases: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.studies.phase.phase import Phases


def write_phases(found: Phases, folder: Path) -> Path:
    """Write `phase.csv`, `phase.json` and `index.html` into a folder, created if missing; return the page's path.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {"phase.csv": found.to_csv(), "phase.json": found.to_json(), "index.html": found.to_html()}
    write_folder(folder, texts)
    return folder / "index.html"
