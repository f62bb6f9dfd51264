"""Published results of a leaderboard's models, and the metrics' correlations with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from wqscore.errors import WqscoreError
from wqscore.leaderboards.candidates import Candidate
from wqscore.leaderboards.site import Known
from wqscore.ranking.ranking import Ranking
from wqscore.reports.tables import summary_metrics
from wqscore.studies.known.known import KnownFigures, choose_known, parse_ranking
from wqscore.studies.known.score_table import ScoreTable, join

#: Correlations listed at most, the strongest first.
_MAX_NOTES = 5


@dataclass(frozen=True)
class KnownOfModels:
    """A table that has enough of the models, and its column of results."""

    figures: KnownFigures

    def with_notes(self, ranking: Ranking) -> Known:
        """Return the figures by model, and the correlations of tonight's metrics with them."""
        table, y = self.figures.table, self.figures.y
        pairs = zip(table.words("model"), table.numbers(y), strict=True)
        values = {name: float(value) for name, value in pairs if isfinite(value)}
        return Known(y, values, _notes(self.figures, ranking))


@dataclass(frozen=True)
class KnownColumn:
    """Published results of models.

    Attributes:
        table: the table.
        y: the column to show; may be `None` if only one has numbers.
    """

    table: ScoreTable
    y: str | None = None


def known_figures(known: KnownColumn, candidates: Sequence[Candidate]) -> KnownOfModels:
    """Find the models in a table, before any of them is scored.

    Raises:
        UsageError: as `choose_known`.
    """
    return KnownOfModels(choose_known(known.table, [each.ref for each in candidates], known.y))


def _notes(figures: KnownFigures, ranking: Ranking) -> tuple[str, ...]:
    from wqscore.studies.correlation.correlate import correlate

    try:
        joined = join(parse_ranking(ranking.to_csv()), figures.table, ["model"])
        found = correlate(joined, x=summary_metrics(ranking), y=figures.y, seed=ranking.seed)
    except WqscoreError as error:
        return (f"no correlations: {error}",)
    rows = [row for row in found.tested if row.group is None and row.correlation]
    rows.sort(key=lambda row: -abs(row.correlation.tau.value) if row.correlation else 0)
    ranks = [row for row in rows if row.x == ranking.by.name]
    listed = [*ranks, *(row for row in rows if row not in ranks)][:_MAX_NOTES]
    return tuple(
        f"{row.x}: Kendall's tau {row.correlation.tau.value:.2f} with {figures.y} over {row.n} models, "
        f"p {row.correlation.tau.p:.2g}"
        for row in listed
        if row.correlation
    )
