"""A ranking's interval bars, and the ranking as a list for terminals too narrow for a table."""

from __future__ import annotations

from wqscore.escaping import printable
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.short_names import short_names
from wqscore.rendering.layout import fold
from wqscore.rendering.numbers import figure, size
from wqscore.reports.intervals import bar, extent, has_intervals, interval_text, marks_of, value_text
from wqscore.reports.overview import rank_range, ranking_title, usual_range

#: The column of bars.
BARS = "95 %"
_BAR_WIDTH = 17
_INDENT = "   "


def scale_note(ranking: Ranking) -> list[str]:
    """A line on what the bars show, and their scale; empty if no bar is drawn."""
    low, high = extent(marks_of(ranking))
    ends = f"{value_text(low, ranking)} to {value_text(high, ranking)}"
    return [f"interval: {BARS} over layers, drawn from {ends}"] if low < high else []


def ranking_bars(ranking: Ranking) -> list[str]:
    """The interval of each model as a bar, all on one scale; an empty string for a model without one."""
    marks = marks_of(ranking)
    scale = extent(marks)
    return ["" if each is None else bar(each, scale, _BAR_WIDTH) for each in marks]


def narrow_ranking(ranking: Ranking, width: int) -> list[str]:
    """A few short lines for each model.

    Args:
        ranking: the ranking.
        width: the terminal's width.
    """
    bars = ranking_bars(ranking) if has_intervals(ranking) else [""] * len(ranking.models)
    lines = [
        ranking_title(ranking),
        *_usual(ranking),
        *scale_note(ranking),
        "",
    ]
    names = short_names([model.ref for model in ranking.models])
    for model, name, drawn in zip(ranking.models, names, bars, strict=True):
        lines += [*_head(model, name, width), *(f"{_INDENT}{line}" for line in _facts(model, ranking, drawn))]
    return [*lines, ""]


def _usual(ranking: Ranking) -> list[str]:
    """Where trained layers usually lie, short enough for 40 characters."""
    found = usual_range(ranking)
    return [found.replace(" lie between", ":").replace(" and ", " to ")] if found else []


def _head(model: RankedModel, name: str, width: int) -> list[str]:
    """The rank, then the name, folded to the width."""
    rank = "–" if model.rank is None else f"{model.rank}{'=' if model.tied else ''}"
    first, *rest = fold(printable(name), max(width - len(_INDENT), 1)).split("\n")
    return [f"{rank:<{len(_INDENT)}}{first}", *(f"{_INDENT}{line}" for line in rest)]


def _facts(model: RankedModel, ranking: Ranking, drawn: str) -> list[str]:
    score = model.score
    if score is None:
        return [model.status]
    facts = [f"{_name(ranking)} {value_text(score.summary.headline(ranking.by.name, ranking.preset), ranking)}"]
    if has_intervals(ranking):
        facts += [f"interval {interval_text(model, ranking)}", *([drawn] if drawn else [])]
    if model.best is not None:
        ties = f", ties {' '.join(model.ties)}" if model.ties else ""
        facts.append(f"range {rank_range(model)}{ties}")
    summary = score.summary
    facts.append(f"coverage {figure(100 * summary.coverage)} %, {summary.n_ok} of {summary.n_matrices} matrices ok")
    facts.append(f"{size(score.parameters)} parameters")
    return facts


def _name(ranking: Ranking) -> str:
    return ranking.preset.label(ranking.by.name)
