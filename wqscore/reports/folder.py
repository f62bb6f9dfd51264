"""A report folder: the files of the output contract, all written whole or none at all."""

from __future__ import annotations

from pathlib import Path

from wqscore.ranking.ranking import Ranking
from wqscore.rendering.folder import write_folder
from wqscore.reports.html.report import data_files, report_html


def write_report(ranking: Ranking, folder: Path) -> Path:
    """Write `ranking.csv`, `pairs.csv`, `layers.csv`, `ranking.json` and `index.html` to a folder.

    A missing folder is created.

    Returns:
        The path of `index.html`.

    Raises:
        ReportError: the folder can't be made or written to; existing files stay unchanged.
    """
    files = data_files(ranking)
    write_folder(folder, {**files, "index.html": report_html(ranking, files)})
    return folder / "index.html"
