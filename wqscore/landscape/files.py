"""Write the files of a landscape: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.landscape.landscape import Landscape
from wqscore.rendering.folder import write_folder
from wqscore.results import rendered


def write_landscape(found: Landscape, folder: Path) -> None:
    """Write `landscape.csv`, `pairs.csv`, `landscape.json` and `landscape.md` into a folder, created if missing.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {
        "landscape.csv": found.to_csv(),
        "pairs.csv": str(rendered(found, "pairs-csv")),
        "landscape.json": found.to_json(),
        "landscape.md": found.to_markdown(),
    }
    write_folder(folder, texts)
