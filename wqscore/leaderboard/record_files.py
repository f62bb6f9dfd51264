"""A model's own files in `data/models/`: a record, which is read back when the model can't be scored, and a CSV."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from wqscore.leaderboard.decoding import decode
from wqscore.leaderboard.errors import SiteError
from wqscore.leaderboard.record import ModelRecord
from wqscore.leaderboard.slugs import slug
from wqscore.rendering.csv import csv_text
from wqscore.reports.tables import layer_columns, layer_rows
from wqscore.scoring.model_score import ModelScore


def record_path(name: str) -> str:
    """Where the record of a model lies, from the site's folder."""
    return f"data/models/{slug(name)}.json"


def matrices_path(name: str) -> str:
    """Where all its rows lie."""
    return f"data/models/{slug(name)}.csv"


def record_text(record: ModelRecord) -> str:
    """The text of the record."""
    # On one line: indented, it takes ten times as long.
    return json.dumps(asdict(record), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def matrices_csv(score: ModelScore) -> str:
    """A row per matrix and per skipped tensor, as in `layers.csv` but for the model's name."""
    rows = (row[1:] for row in layer_rows(score))
    return csv_text(layer_columns(score.preset, score.metrics)[1:], rows)


def read_record(site: Path, name: str) -> ModelRecord | None:
    """The last record of a model; `None` where it has none.

    Raises:
        SiteError: the file is damaged or another model's.
    """
    file = site / record_path(name)
    try:
        record = decode(ModelRecord, json.loads(file.read_text(encoding="utf-8")))
        if record.name != name:
            raise ValueError(f"is of {record.name[:100]!r}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise SiteError(f"{file}: is no record of {name!r} ({error}): put it back, or remove it") from error
    return record
