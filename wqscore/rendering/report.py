"""A report folder: the files of the output contract, all written whole or none at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wqscore.ranking import Ranking
from wqscore.rendering.csv import layers_csv, pairs_csv, ranking_csv
from wqscore.rendering.folder import write_folder
from wqscore.rendering.html.report import report_html
from wqscore.rendering.json import ranking_json
from wqscore.rendering.tables import layer_columns

_FILES: dict[str, Callable[[Ranking], str]] = {
    "ranking.csv": ranking_csv,
    "pairs.csv": pairs_csv,
    "layers.csv": lambda ranking: layers_csv(ranking.scores, layer_columns(ranking.preset, ranking.metrics)),
    "ranking.json": ranking_json,
    "index.html": report_html,
}


def write_report(ranking: Ranking, folder: Path) -> Path:
    """Write `ranking.csv`, `pairs.csv`, `layers.csv`, `ranking.json` and `index.html` into a folder, made if need be.

    Returns:
        The path of `index.html`.

    Raises:
        ReportError: the folder can't be made or written to; files that were there before stay as they were.
    """
    write_folder(folder, {name: render(ranking) for name, render in _FILES.items()})
    return folder / "index.html"
