"""A report folder: the four files of the output contract, each written whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from wqscore.errors import WqscoreError
from wqscore.ranking import Ranking
from wqscore.rendering.csv import layers_csv, ranking_csv
from wqscore.rendering.html.report import report_html
from wqscore.rendering.json import ranking_json
from wqscore.rendering.tables import layer_columns

_FILES: dict[str, Callable[[Ranking], str]] = {
    "ranking.csv": ranking_csv,
    "layers.csv": lambda ranking: layers_csv(ranking.scores, layer_columns(ranking.preset)),
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
        ReportError: the folder can't be made or written to; files written before stay as they were.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, render in _FILES.items():
            _write_whole(folder / name, render(ranking))
    except OSError as error:
        cause = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise ReportError(
            f"{folder}: the report can't be written: {cause}: name another folder with --out"
        ) from error
    return folder / "index.html"


def _write_whole(file: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that no reader ever sees half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
