"""The record: models whose quality is known, with their metrics, in CSV tables, one for each source."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from math import isfinite, nan
from types import MappingProxyType

from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.rendering.csv_escaping import unescape_formula

#: The columns that say what a model is; all others are metrics.
COLUMNS = (
    *("source", "family", "model", "kind", "series", "params"),
    *("quality", "quality_name", "better", "scored_by"),
    *("run", "parent", "weights", "decision"),
)
#: Those that a table may leave out.
_OPTIONAL = frozenset({"series", "params", "scored_by", "run", "parent", "weights", "decision"})
#: How a model came about; what a decision between two models is about follows from both (`decisions`).
ORIGINS = ("recipe", "run", "fine-tune", "damage")
#: `scored_by` of a model that wqscore itself scored with its default preset.
OWN = "wqscore"


def scored_by(preset: str) -> str:
    """The name of wqscore with a preset, as the column `scored_by` has it; gaps of other names have other scales."""
    return OWN if preset == "default" else f"{OWN} {preset}"


@dataclass(frozen=True)
class KnownModel:
    """A model of the record.

    Attributes:
        source: name of the table.
        family: models of one family can be compared.
        name: unique in its source.
        origin: how it came about: `recipe`, trained to the end; `run`, a checkpoint before the end of its training;
            `fine-tune` or `damage`, made from its `parent`.
        series: models of one series have tensors of the same shapes; empty if that is not known.
        params: number of parameters; NaN if it is not known.
        quality: what was measured of it; higher is better here, whatever the table says.
        quality_name: what that is; only figures of one name can be compared.
        scored_by: tool and preset of the metrics; gaps of different tools have different scales.
        run: the training that it is a checkpoint of.
        parent: the model that it was made from.
        weights: the model whose weights it has, if they are not its own.
        decision: what any decision between two models of its family is about, if somebody has said so.
        values: its metrics; NaN where one is not known.
    """

    source: str
    family: str
    name: str
    origin: str
    series: str
    params: float
    quality: float
    quality_name: str
    scored_by: str
    run: str
    parent: str
    weights: str
    decision: str
    values: Mapping[str, float]


@cache
def shipped_models() -> tuple[KnownModel, ...]:
    """The models of all tables that come with the package."""
    return tuple(model for name, text in sorted(shipped_tables().items()) for model in parse_table(text, name))


@cache
def shipped_tables() -> Mapping[str, str]:
    """The text of each table that comes with the package, by its name."""
    folder = files("wqscore.evidence") / "records"
    tables = (each for each in folder.iterdir() if each.name.endswith(".csv"))
    return {each.name.removesuffix(".csv"): each.read_text("utf-8") for each in tables}


def parse_table(text: str, source: str) -> list[KnownModel]:
    """Read a table of the record.

    Raises:
        UsageError: it is no such table; the message names the row and the column.
    """
    lines = csv.reader(StringIO(text, newline=""))
    header = next(lines, [])
    lacking = [column for column in COLUMNS if column not in header and column not in _OPTIONAL]
    if lacking:
        raise UsageError(f"{source}: no column {lacking[0]}: it is not a table of the record")
    models = [_model(_Row(source, number, header, cells)) for number, cells in enumerate(lines, 2)]
    names = [model.name for model in models]
    if len({*names}) < len(names):
        raise UsageError(f"{source}: two rows of one model")
    return models


@dataclass(frozen=True)
class _Row:
    source: str
    number: int
    header: Sequence[str]
    cells: Sequence[str]

    def text(self, column: str) -> str:
        if len(self.cells) != len(self.header):
            raise self.error(f"{len(self.cells)} cells, and {len(self.header)} columns")
        return unescape_formula(self.cells[self.header.index(column)]) if column in self.header else ""

    def number_of(self, column: str) -> float:
        text = self.text(column)
        if not text:
            return nan
        try:
            value = float(text)
        except ValueError:
            value = nan
        if not isfinite(value):
            raise self.error(f"{column} is {printable(text)[:40]!r}, not a number")
        return value

    def word(self, column: str, choices: Sequence[str]) -> str:
        text = self.text(column)
        if text not in choices:
            raise self.error(f"{column} is {printable(text)[:40]!r}, not one of {', '.join(choices)}")
        return text

    def error(self, what: str) -> UsageError:
        return UsageError(f"{self.source}, line {self.number}: {what}")


def _model(row: _Row) -> KnownModel:
    sign = 1 if row.word("better", ("higher", "lower")) == "higher" else -1
    metrics = {column: row.number_of(column) for column in row.header if column not in COLUMNS}
    return KnownModel(
        source=row.source,
        family=row.text("family"),
        name=row.text("model"),
        origin=row.word("kind", ORIGINS),
        series=row.text("series"),
        params=row.number_of("params"),
        quality=sign * row.number_of("quality"),
        quality_name=row.text("quality_name"),
        scored_by=row.text("scored_by") or OWN,
        run=row.text("run"),
        parent=row.text("parent"),
        weights=row.text("weights"),
        decision=row.text("decision"),
        values=MappingProxyType(metrics),
    )
