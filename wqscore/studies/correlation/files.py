"""The files of a study, all written whole or none at all."""

from __future__ import annotations

from pathlib import Path

from wqscore.rendering.folder import write_folder
from wqscore.studies.correlation.correlate import Correlations


def write_correlations(found: Correlations, folder: Path, page_name: str = "index.html") -> Path:
    """Write `correlations.csv`, `correlations.json` and the page into a folder, made if need be.

    Args:
        found: the study.
        folder: where to.
        page_name: of the page, where the folder has an `index.html` of its own.

    Returns:
        The path of the page.

    Raises:
        ReportError: the folder can't be made or written to; files that were there before stay as they were.
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    texts = {
        "correlations.csv": found.to_csv(),
        "correlations.json": found.to_json(),
        page_name: found.to_html(),
    }
    write_folder(folder, texts)
    return folder / page_name
