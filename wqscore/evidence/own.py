"""The user's own part of the record: tables in the user's data folder, beside those that ship."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wqscore.cache_folder import home_folder
from wqscore.errors import UsageError, nearest, read_small
from wqscore.escaping import printable
from wqscore.evidence.kinds import KINDS
from wqscore.evidence.record import COLUMNS, KnownModel, parse_table, scored_by
from wqscore.metrics.registry import METRICS
from wqscore.rendering.csv import csv_text
from wqscore.rendering.result_file import write_file

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_MOST_BYTES = 16 * 2**20


def own_folder() -> Path:
    """Where the user's tables are: WQSCORE_EVIDENCE if set, else `wqscore/evidence` in the user's data folder.

    Raises:
        UsageError: the user has no home folder.
    """
    if os.environ.get("WQSCORE_EVIDENCE"):
        return Path(os.environ["WQSCORE_EVIDENCE"])
    if sys.platform == "win32" and os.environ.get("APPDATA"):
        return Path(os.environ["APPDATA"]) / "wqscore" / "evidence"
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    if data.is_absolute():
        return data / "wqscore" / "evidence"
    home = home_folder()
    if home is None:
        raise UsageError("no home folder for your part of the record: set WQSCORE_EVIDENCE")
    return home / ("Library/Application Support" if sys.platform == "darwin" else ".local/share") / "wqscore/evidence"


def own_tables(folder: Path | None = None) -> dict[str, Path]:
    """The user's tables by name.

    Args:
        folder: where they are; the user's folder if `None`.
    """
    folder = folder or own_folder()
    if not folder.is_dir():
        return {}
    return {file.stem: file for file in sorted(folder.glob("*.csv")) if _NAME.fullmatch(file.stem)}


def read_own(folder: Path | None = None) -> list[KnownModel]:
    """The models of all of the user's tables.

    Raises:
        UsageError: a table can't be read; the message names it.
    """
    return [model for file in own_tables(folder).values() for model in read_table_file(file)]


def read_table_file(file: Path) -> list[KnownModel]:
    """The models of one table.

    Raises:
        UsageError: it can't be read, or is no table of the record.
    """
    return parse_table(table_text(file), file.stem)


def table_text(file: Path) -> str:
    """The text of one table.

    Raises:
        UsageError: it can't be read.
    """
    try:
        return read_small(file, _MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise UsageError(f"{file}: {reason}") from error


def add_table(
    name: str,
    document: Mapping[str, Any],
    quality: Mapping[str, float],
    quality_name: str,
    better: str,
    kind: str,
    family: str = "",
    folder: Path | None = None,
) -> Path:
    """Keep models of a ranking, whose quality is known, as a table of the user's.

    Args:
        name: of the table; one of that name is replaced.
        document: what `ranking.json` holds.
        quality: the models' quality by name.
        quality_name: what it is.
        better: `higher` or `lower`.
        kind: what decisions between these models are about.
        family: of all of them; by default each model's `family_id`.
        folder: where the user's tables are.

    Raises:
        UsageError: a name, kind or document that can't be taken; fewer than two models with quality in a family, or
            quality that is the same for all.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{printable(name)!r} can't name a table: use small letters, digits, dots and dashes")
    if kind not in KINDS:
        raise UsageError(f"no kind of decision {printable(kind)!r}: choose from {', '.join(KINDS)}")
    known = [model for model in _models(document) if model.get("model") in quality]
    if not known:
        raise UsageError("no model of the ranking has a known quality: name the models as the ranking does")
    if len(known) < 2:
        raise UsageError("only one model of the ranking has a known quality: a decision takes two")
    if len({quality[model["model"]] for model in known}) < 2:
        raise UsageError(f"{printable(quality_name)} is the same for all models: there is nothing to learn from")
    families = [str(family or model.get("family_id") or model["model"]) for model in known]
    if kind != "across" and len({*families}) == len(families):
        raise UsageError("no two of the models share a family: give --family, or --kind across")
    preset = document["preset"]
    tool = scored_by(preset["name"])
    common = {"source": name, "kind": "recipe", "quality_name": quality_name, "better": better, "scored_by": tool}
    rows: list[dict[str, Any]] = [
        {
            **common,
            "family": own,
            "model": model["model"],
            "params": model.get("params"),
            "quality": quality[model["model"]],
            "decision": kind,
            **_metrics(model, preset["headline"]),
        }
        for model, own in zip(known, families, strict=True)
    ]
    metrics = [metric for metric in METRICS if any(row.get(metric) is not None for row in rows)]
    columns = [*COLUMNS, *metrics]
    folder = folder or own_folder()
    file = folder / f"{name}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: can't be made: {error.strerror}: set WQSCORE_EVIDENCE") from error
    write_file(file, csv_text(columns, [[row.get(column) for column in columns] for row in rows]))
    return file


def remove_table(name: str, folder: Path | None = None) -> None:
    """Delete a table of the user's.

    Raises:
        UsageError: there is none of that name.
    """
    tables = own_tables(folder)
    if name not in tables:
        raise UsageError(f"no table {printable(name)!r} of yours: {nearest(name, tables, 'you have none')}")
    tables[name].unlink()


def _models(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models of a ranking's document, as far as what is read of it has the types it should have."""
    models, preset = document.get("models"), document.get("preset")
    if not isinstance(models, list) or not isinstance(preset, dict) or not {"name", "headline"} <= preset.keys():
        raise UsageError("not a ranking.json of this version: make one with wqscore rank --out")
    return [model for model in models if isinstance(model, dict) and isinstance(model.get("model"), str)]


def _metrics(model: Mapping[str, Any], headline: str) -> dict[str, float]:
    """The numbers that rank a model, as its document gives them."""
    summary, values = model.get("summary") or {}, model.get("model_metrics") or {}
    found = {name: statistic.get("total", statistic.get(headline)) for name, statistic in summary.items()}
    found |= {name: value.get("value") for name, value in values.items()}
    return {name: value for name, value in found.items() if name in METRICS and isinstance(value, int | float)}
