"""A report folder: the four files of the output contract, all written whole or none at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wqscore.errors import WqscoreError
from wqscore.ranking import Ranking
from wqscore.rendering.csv import layers_csv, ranking_csv
from wqscore.rendering.html.report import report_html
from wqscore.rendering.json import ranking_json
from wqscore.rendering.result_file import write_all
from wqscore.rendering.tables import layer_columns

_FILES: dict[str, Callable[[Ranking], str]] = {
    "ranking.csv": ranking_csv,
    "layers.csv": lambda ranking: layers_csv(ranking.scores, layer_columns(ranking.preset, ranking.metrics)),
    "ranking.json": ranking_json,
    "index.html": report_html,
}


class ReportError(WqscoreError):
    """A report that could not be written."""


def write_report(ranking: Ranking, folder: Path) -> Path:
    """Write `ranking.csv`, `layers.csv`, `ranking.json` and `index.html` into a folder, made if need be.

    Returns:
        The path of `index.html`.

    Raises:
        ReportError: the folder can't be made or written to; files that were there before stay as they were.
    """
    # Names that no encoding has, from a file system or a checkpoint, are written as escapes.
    contents = {name: render(ranking).encode("utf-8", "backslashreplace") for name, render in _FILES.items()}
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_all(folder, contents)
    except OSError as error:
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        cause = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise ReportError(
            f"{folder}: the report can't be written: {cause}: name another folder with --out"
        ) from error
    return folder / "index.html"
