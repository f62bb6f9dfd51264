"""The site's templates and the filters that turn values into text; names are always escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from wqscore.escaping import printable
from wqscore.fits.interval import Interval
from wqscore.leaderboards.pages import charts as site_charts
from wqscore.leaderboards.record import Figure, MatrixRecord, ModelRecord
from wqscore.leaderboards.site import ListedState
from wqscore.rendering import numbers
from wqscore.rendering.html.page import environment
from wqscore.rendering.numbers import MISSING, figure, size
from wqscore.reports.tables import has_interval_columns

_PLURALS = {"family": "families", "matrix": "matrices"}


@cache
def site_environment() -> Environment:
    """Return the templates, compiled once for thousands of pages."""
    return environment(
        __package__,
        figure=figure,
        size=size,
        shown=printable,
        percent=percent,
        counted=counted,
        ends=ends,
        value=value,
        alpha=alpha,
        alpha_ends=alpha_ends,
        changed=last_change,
        interval=site_charts.interval,
        axis=site_charts.axis,
        placed=placed,
        legend_mark=site_charts.legend_mark,
        verdict_mark=site_charts.verdict_mark,
    )


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural.

    Example:
        >>> counted(1, "model"), counted(2, "family")
        ('1 model', '2 families')
    """
    return numbers.counted(count, noun, _PLURALS.get(noun, ""))


def percent(share: float | None) -> str:
    """Return a share in percent, rounded down so that only all is 100 %."""
    return "–" if share is None else f"{int(share * 100)} %"


def placed(record: ModelRecord) -> str:
    """Where a model stands among those that it is ranked with.

    Example: `tied 1–3 of 3`, `rank 2 of 5`.
    """
    of = f" of {record.ranked_with}" if record.ranked_with else ""
    if record.rank_best == record.rank_worst:
        return f"rank {record.rank}{of}"
    return f"tied {record.rank_best}–{record.rank_worst}{of}"


def value(found: Figure | None) -> str:
    """Return a value as precise as its interval deserves."""
    return MISSING if found is None else numbers.beside(found.value, found.interval)


def ends(found: Figure | None, metric: str) -> str:
    """Return a metric's interval as text, or why there is none."""
    if found is None or not has_interval_columns(metric):
        return MISSING
    return numbers.ends(found.interval, found.count, "–")


def alpha(row: MatrixRecord) -> str:
    """Return a matrix's alpha as precise as its interval deserves."""
    return numbers.beside(row.alpha, _alpha_interval(row))


def alpha_ends(row: MatrixRecord) -> str:
    """Return the interval of a matrix's alpha; empty where it has none."""
    known = _alpha_interval(row)
    return numbers.ends(known, dash="–") if known else ""


def _alpha_interval(row: MatrixRecord) -> Interval | None:
    return None if row.alpha_lo is None or row.alpha_hi is None else Interval(row.alpha_lo, row.alpha_hi)


def last_change(model: ListedState) -> str:
    """Return the night on which the model's score last changed; a commit alone is no change."""
    changes = [after.night for before, after in model.changes if before is None or not after.scores_as(before)]
    return changes[-1] if changes else "–"


def packed(rows: list[str], most: int) -> list[list[str]]:
    """Split rows into pages of at most `most` bytes, in their order; return at least one page.

    Example:
        >>> packed(["aa", "bb", "c"], 3)
        [['aa'], ['bb', 'c']]
    """
    pages: list[list[str]] = [[]]
    room = most
    for row in rows:
        length = len(row.encode("utf-8", "backslashreplace"))
        if length > room and pages[-1]:
            pages.append([])
            room = most
        pages[-1].append(row)
        room -= length
    return pages
