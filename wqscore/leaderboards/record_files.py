"""A model's files in `data/models/`: its record, which later builds read if the model can't be scored, and a CSV."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wqscore.errors import read_small
from wqscore.leaderboards.decoding import decode
from wqscore.leaderboards.errors import SiteError
from wqscore.leaderboards.record import ModelRecord
from wqscore.leaderboards.slugs import file_name_of_0_5_0
from wqscore.rendering.csv import csv_text
from wqscore.reports.tables import layer_columns, layer_rows
from wqscore.scoring.model_score import ModelScore


def record_path(file: str) -> str:
    """Return the path of a model's record, relative to the site's folder, from the name of its files."""
    return f"data/models/{file}.json"


def matrices_path(file: str) -> str:
    """Return the path of the CSV of a model's matrices, relative to the site's folder, from the name of its files."""
    return f"data/models/{file}.csv"


def record_text(record: ModelRecord) -> str:
    """Return the text of a record."""
    # On one line, since indented JSON takes ten times as long.
    return json.dumps(asdict(record), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def matrices_csv(score: ModelScore) -> str:
    """Return a row per matrix and per skipped tensor, as in `layers.csv` without the model's name."""
    rows = (row[1:] for row in layer_rows(score))
    return csv_text(layer_columns(score.preset, score.metrics)[1:], rows)


def read_record(site: Path, name: str, file_name: str) -> ModelRecord | None:
    """Return the last record of a model; `None` where it has none.

    Args:
        site: the site's folder.
        name: the model's name.
        file_name: the name of its files.

    Raises:
        SiteError: the file is damaged, or is another model's record.
    """
    file = site / record_path(file_name)
    if not file.exists():
        file = site / record_path(file_name_of_0_5_0(name))
    try:
        record = decode(ModelRecord, _up_to_date(json.loads(read_small(file).decode())))
        if record.name != name:
            raise ValueError(f"is of {record.name[:100]!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SiteError(f"{file}: is not a record of {name!r} ({error}): restore it, or remove it") from error
    return record


def _up_to_date(document: Any) -> Any:
    """A record that an earlier version wrote, in today's fields.

    Version 0.5.0 gave the ends of another interval, by order statistics; it is dropped, as no two kinds are shown
    side by side.
    """
    figures = document.get("figures") if isinstance(document, dict) else None
    for figure in figures.values() if isinstance(figures, dict) else ():
        if isinstance(figure, dict) and {"lo", "hi"} <= figure.keys():
            del figure["lo"], figure["hi"]
            figure["interval"] = None
    return document
