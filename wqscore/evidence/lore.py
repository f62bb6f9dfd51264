"""What is known of metrics when models are ranked: learned beforehand from the tables that ship."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from math import nan
from pathlib import Path
from typing import Any

from wqscore.errors import UsageError
from wqscore.evidence.decisions import Decisions, decisions
from wqscore.evidence.odds import bend, family_weights, fit, measure_gaps
from wqscore.evidence.own import own_tables, table_text
from wqscore.evidence.record import KnownModel, parse_table, shipped_models, shipped_tables
from wqscore.evidence.split import is_development
from wqscore.evidence.track_record import Entry, TrackRecord, entry_of, track_record
from wqscore.evidence.validation import Agreement, LogLoss

#: What `--evidence` takes in place of a file, to rank without a record.
NONE = "none"
LEARNED = "learned.json"
#: How strongly a family's own odds are drawn to those of all families: as one more family's evidence would.
_TO_ALL = 1.0


@dataclass(frozen=True)
class Lore:
    """What is known of metrics.

    Attributes:
        version: names the record: a digest of its tables, and how many models they have.
        entry: looks up the entry of a metric and a kind, learned from all families.
        chosen: looks up the same from the development families alone, by which metrics are chosen.
        own: the user's models.
    """

    version: str
    entry: Callable[[str, str], Entry | None]
    chosen: Callable[[str, str], Entry | None]
    own: tuple[KnownModel, ...] = ()

    def slope(self, entry: Entry, family: str) -> tuple[float, int]:
        """The slope of odds in a family, and how many models of the user's own it rests on.

        A family of which the user has added models has a slope of its own, learned from their decisions and drawn to
        the slope of all families.
        """
        mine = [model for model in self.own if model.family == family and family]
        found = measure_gaps(entry.metric, decisions(mine, entry.kind)) if mine else None
        if found is None or not len(found.gaps):
            return entry.slope, 0
        gaps = found.in_units_of(entry.scales)
        slope = fit(bend(gaps)[:, None], family_weights(found.of), _TO_ALL, entry.slope)
        return float(slope[0]), len(mine)


def load_lore(choice: str | None = None) -> Lore | None:
    """Load a record.

    Args:
        choice: a table to use instead of all others, `none`, or `None` for the tables that ship and the user's own.

    Returns:
        `None` for `none`.

    Raises:
        UsageError: a table can't be read.
    """
    if choice == NONE:
        return None
    if choice is not None:
        file = Path(choice)
        if not file.exists():
            raise UsageError(f"{choice}: no such table of the record: name a CSV file, or none")
        text = table_text(file)
        return _lazy(parse_table(text, file.stem), (), _digest({file.stem: text}))
    own = {name: table_text(file) for name, file in own_tables().items()}
    if not own:
        return _shipped()
    mine = [model for name, text in own.items() for model in parse_table(text, name)]
    both = {**shipped_tables(), **{f"own/{name}": text for name, text in own.items()}}
    return _lazy([*shipped_models(), *mine], tuple(mine), _digest(both))


def learn(models: Sequence[KnownModel]) -> dict[str, Any]:
    """What `learned.json` holds: the track record of all families, and that of the development families."""
    every, development = track_record(models), track_record(_development(models))
    return {
        "models": every.models,
        "sources": list(every.sources),
        "all": _entries(every),
        "development": _entries(development),
    }


@cache
def shipped_digest() -> str:
    """The version of the tables that ship."""
    return _digest(shipped_tables())


def learned_record(part: str = "all") -> TrackRecord | None:
    """The track record of the tables that ship, as it was learned; `None` if they have changed since.

    Args:
        part: `all`, or `development` for the development families alone.
    """
    document = _learned()
    if document["version"] != shipped_digest():
        return None
    return TrackRecord(tuple(map(_entry, document[part])), document["models"], tuple(document["sources"]))


@cache
def _learned() -> Mapping[str, Any]:
    document: dict[str, Any] = json.loads((files("wqscore.evidence") / LEARNED).read_text("utf-8"))
    return document


@cache
def _shipped() -> Lore:
    every, development = learned_record("all"), learned_record("development")
    if every is None or development is None:
        # Tables were edited without `make evidence`.
        return _lazy(shipped_models(), (), shipped_digest())
    return Lore(shipped_digest(), every.entry, development.entry)


def _lazy(models: Sequence[KnownModel], own: tuple[KnownModel, ...], version: str) -> Lore:
    """A record of which each entry is learned when it is first asked for."""

    def of(part: Sequence[KnownModel]) -> Callable[[str, str], Entry | None]:
        decided: dict[str, Decisions] = {}

        @cache
        def found(metric: str, kind: str) -> Entry | None:
            if kind not in decided:
                decided[kind] = decisions(part, kind)
            return entry_of(metric, kind, decided[kind])

        return found

    return Lore(version, of(models), of(_development(models)), own)


def _development(models: Sequence[KnownModel]) -> list[KnownModel]:
    return [model for model in models if is_development(model.family)]


def _digest(tables: Mapping[str, str]) -> str:
    text = "".join(f"{name}\0{content}" for name, content in sorted(tables.items()))
    models = sum(content.count("\n") - 1 for content in tables.values())
    return f"{sha256(text.encode()).hexdigest()[:8]}, {models:,} models"


def _entries(record: TrackRecord) -> list[dict[str, Any]]:
    """The entries as JSON, which has no NaN."""
    return [asdict(entry, dict_factory=_without_nan) for entry in record.entries]


def _without_nan(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in fields}


def _entry(document: Mapping[str, Any]) -> Entry:
    losses = {
        name: LogLoss(**_with_nan(document[name])) for name in ("log_loss", "log_loss_with_size", "log_loss_size")
    }
    return Entry(**{**document, "agreement": Agreement(**_with_nan(document["agreement"])), **losses})


def _with_nan(fields: Mapping[str, float | None]) -> dict[str, float]:
    return {name: nan if value is None else value for name, value in fields.items()}
