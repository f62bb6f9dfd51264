"""Write the files of a correlation study: all of them, complete, or none."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.studies.correlation.correlate import Correlations


def write_correlations(found: Correlations, folder: Path, page_name: str = "index.html") -> Path:
    """Write `correlations.csv`, `correlations.json` and the page into a folder, created if missing.

    Args:
        found: the study.
        folder: the folder to write to.
        page_name: the page's file name, for a folder whose `index.html` is another page.

    Returns:
        The path of the page.

    Raises:
        ReportError: the folder can't be created or written to; files already in it stay unchanged.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {
        "correlations.csv": found.to_csv(),
        "correlations.json": found.to_json(),
        page_name: found.to_html(),
    }
    write_folder(folder, texts)
    return folder / page_name
