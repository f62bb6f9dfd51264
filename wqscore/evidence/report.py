"""A track record in each format: CSV has every entry, a person sees the best of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

from wqscore.evidence.kinds import MEANING
from wqscore.evidence.odds import SIZE
from wqscore.evidence.track_record import Entry, TrackRecord
from wqscore.evidence.validation import COIN, LogLoss
from wqscore.rendering.numbers import MISSING, Cell, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.version import __version__

COLUMNS = [
    *("metric", "kind", "families", "pairs", "agreement", "agreement_lo", "agreement_hi"),
    *("log_loss", "log_loss_se", "log_loss_with_size", "log_loss_size", "informative"),
]
#: As many entries of a kind are shown; alpha and size always are.
_SHOWN = 6
_ALWAYS = ("alpha", SIZE)
_HEADERS = ["metric", "right in", "decisions", "families", "log-loss", "with size", "verdict"]


def track_record_rows(record: TrackRecord) -> Rows:
    """A row for each metric and kind."""
    return Rows(COLUMNS, [_cells(entry) for entry in record.entries], frozenset({"metric", "kind", "informative"}))


def track_record_document(record: TrackRecord) -> dict[str, Any]:
    """The JSON document: the rows, and the slope and unit behind each metric's odds."""
    entries: list[dict[str, Any]] = [
        dict(zip(COLUMNS, _cells(entry), strict=True))
        | {"informative": entry.informative, "slope": number(entry.slope), "scales": entry.scales}
        for entry in record.entries
    ]
    return {"wqscore": __version__, "models": record.models, "sources": list(record.sources), "entries": entries}


def track_record_sections(record: TrackRecord, medium: Medium) -> list[Section]:
    """A table of the best metrics for each kind of decision."""
    kinds = list(dict.fromkeys(entry.kind for entry in record.entries))
    tables = [_table(kind, [entry for entry in record.entries if entry.kind == kind]) for kind in kinds]
    if not tables:
        return [Notes(["the record has no such decision"])]
    return [*tables, Notes(_notes(record))]


def verdict(entry: Entry) -> str:
    """Whether a metric chooses, in a word."""
    if not entry.beats_the_coin:
        return "toss-up"
    way = "chooses" if entry.slope > 0 else "chooses the other way round"
    return way if entry.calibrated else f"{way}, odds off"


def _table(kind: str, entries: Sequence[Entry]) -> Table:
    shown = [entry for place, entry in enumerate(entries) if place < _SHOWN or entry.metric in _ALWAYS]
    more = f"; {len(entries) - len(shown)} more metrics with --format csv" if len(shown) < len(entries) else ""
    rows = [
        [
            "size" if entry.metric == SIZE else entry.metric,
            _share(entry),
            f"{entry.pairs:,}",
            str(entry.families),
            _loss(entry.log_loss),
            MISSING if isnan(entry.log_loss_with_size.mean) else f"{entry.log_loss_with_size.mean:.3f}",
            verdict(entry),
        ]
        for entry in shown
    ]
    title = f"{kind}: {MEANING[kind]}{more}"
    return Table(
        title, _HEADERS, rows, optional=["with size", "decisions"], right=_HEADERS[1:6], markdown_title="above"
    )


def _notes(record: TrackRecord) -> list[str]:
    return [
        f"{record.models:,} models of {len(record.sources)} tables: {', '.join(record.sources)}",
        "right in: share of decisions in which the better model has the better value, as each metric claims it; "
        "95 % interval over families",
        f"log-loss: of odds on families left out, ± standard error; a coin has {COIN:.3f}",
        "toss-up: the odds don't beat a coin by two standard errors",
        "odds off: they do, but they do not come true as often as they say",
    ]


def _share(entry: Entry) -> str:
    agreed = entry.agreement
    ends = "" if isnan(agreed.lo) else f" ({agreed.lo:.0%} to {agreed.hi:.0%})"
    return f"{agreed.share:.0%}{ends}".replace("%", " %")


def _loss(loss: LogLoss) -> str:
    return MISSING if isnan(loss.mean) else f"{loss.mean:.3f} ± {loss.error:.3f}"


def _cells(entry: Entry) -> list[Cell]:
    agreed = entry.agreement
    values = (*asdict(agreed).values(), *asdict(entry.log_loss).values())
    others = (entry.log_loss_with_size.mean, entry.log_loss_size.mean)
    informative = "yes" if entry.informative else "no"
    return [entry.metric, entry.kind, entry.families, entry.pairs, *map(number, (*values, *others)), informative]
