"""The table: the known order of each family beside wqscore's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from benchmarks.families.manifest import Family, Member
from wqscore.ranking.ranked_model import RankedModel
from wqscore.scoring.model_score import ModelScore

_COLUMNS = ("model", "known", "published", "rank", "could be", "alpha", "coverage", "fitted", "skipped", "params")


def family_lines(family: Family, ranked: Mapping[str, RankedModel | str]) -> Iterator[str]:
    """The section of one family: a table, and how many pairs come out as known.

    Args:
        family: the family.
        ranked: each member by name, ranked, or the reason why it could not be read.
    """
    yield f"## {family.name}"
    yield ""
    yield f"Its members differ in {family.differ}. Known order: {family.source}."
    yield ""
    yield from _row(_COLUMNS)
    yield from _row("---" for _ in _COLUMNS)
    for place, member in enumerate(reversed(family.members), 1):
        found = ranked[member.name]
        known = str(place) if family.ordered else "–"
        if isinstance(found, str) or found.score is None:
            reason = found if isinstance(found, str) else found.reason
            yield from _row((member.name, known, member.quality or "–", f"not read: {reason}", *["–"] * 6))
            continue
        could = f"{found.best} to {found.worst}" if found.best else "–"
        rank = str(found.rank) if found.rank else f"unranked: {found.reason}"
        yield from _row((member.name, known, member.quality or "–", rank, could, *_figures(found.score)))
    yield ""
    yield from pair_lines(family, ranked)
    yield ""


def other_lines(scores: Iterable[tuple[Member, ModelScore | str]]) -> Iterator[str]:
    """The section of the files that are read but in no family."""
    yield "## Other files of the same wheels"
    yield ""
    columns = ("model", *_COLUMNS[5:])
    yield from _row(columns)
    yield from _row("---" for _ in columns)
    for member, score in scores:
        figures = (f"not read: {score}", *["–"] * 4) if isinstance(score, str) else _figures(score)
        yield from _row((member.name, *figures))


def pair_lines(family: Family, ranked: Mapping[str, RankedModel | str]) -> Iterator[str]:
    """For each pair whose order is known, whether the ranks agree with it and whether they are told apart."""
    if not family.ordered:
        return
    right = wrong = apart = 0
    for worse, better in combinations(family.members, 2):
        first, second = ranked[better.name], ranked[worse.name]
        if isinstance(first, str) or isinstance(second, str) or not first.rank or not second.rank:
            yield f"- {better.name} over {worse.name}: no ranks to compare"
            continue
        agrees = first.rank < second.rank
        right, wrong = right + agrees, wrong + (first.rank > second.rank)
        told = bool(first.worst and first.best and second.best and second.worst) and (
            (first.worst or 0) < (second.best or 0) or (second.worst or 0) < (first.best or 0)
        )
        apart += told
        order = "as known" if agrees else "the other way round" if first.rank > second.rank else "equal"
        yield f"- {better.name} over {worse.name}: {order}, {'told apart' if told else 'tied'}"
    strength = "well known" if family.strong else "weakly known"
    yield ""
    yield f"Pairs ({strength}): {right} as known, {wrong} the other way round, {apart} told apart."


def _figures(score: ModelScore) -> tuple[str, ...]:
    summary = score.summary
    rows = f"{summary.n_fitted} of {summary.n_matrices}"
    alpha = f"{summary.statistics['alpha'].median:.3f}"
    unread = sum(skip.kind == "unread" for skip in score.skipped)
    skipped = f"{len(score.skipped)} ({unread} unread)"
    return alpha, f"{summary.coverage:.3f}", rows, skipped, f"{score.parameters:,}"


def _row(cells: Iterable[str]) -> Iterator[str]:
    yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
