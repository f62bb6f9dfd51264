"""How far to trust a ranking, in sentences made of its own numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from wqscore.escaping import listed
from wqscore.ranking.differences import Difference
from wqscore.ranking.rank_correlation import kendall_tau_b
from wqscore.ranking.ranked_model import Pair, RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.numbers import counted, figure, size
from wqscore.scoring.summary import belonging_rows

#: More warnings than this are counted.
_MAX_WARNINGS = 2
#: More pairs of neighbours in rank than this are not compared in words.
_MAX_PAIRS = 6
#: Fewer models than this have no rank correlation with size.
_MIN_MODELS = 3


def trust_notes(ranking: Ranking) -> list[str]:
    """Reasons to doubt a ranking, most important first."""
    return [
        *_ties(ranking),
        *(note for members in _by_family(ranking).values() for note in _sizes(ranking, members)),
        *_coverage(ranking),
        *_verdicts(ranking),
        *_caveat(ranking),
    ]


def warning_notes(ranking: Ranking) -> list[str]:
    """Warnings: of NaN and infinite weights, and of leaders whose number published work reads as no sign of quality.

    Of each the first few in full; how many more there are is counted.
    """
    alone = len(ranking.models) == 1
    warned = [model for model in ranking.models if model.warning]
    lines = [f"warning: {'' if alone else _who(model)}{model.warning}" for model in warned[:_MAX_WARNINGS]]
    more = len(warned) - _MAX_WARNINGS
    lines += [f"warning: so it is with {more} more that could be first"] if more > 0 else []
    return [*_not_finite(ranking), *lines]


def _not_finite(ranking: Ranking) -> list[str]:
    """A warning of each model with NaN or infinite weights, whose matrices no number counts."""
    alone = len(ranking.models) == 1
    lines = []
    for score in ranking.scores:
        names = [row.matrix.name for row in score.layers if row.verdict == "non-finite"]
        who = "" if alone else f"{score.ref.label}: "
        if names:
            holding = f"{counted(len(names), 'matrix', 'matrices')} {'holds' if len(names) == 1 else 'hold'}"
            shown = listed(names, 3)
            lines.append(
                f"warning: {who}{holding} NaN, infinite or overflowing weights, which no number counts: {shown}"
            )
    more = len(lines) - _MAX_WARNINGS
    rest = f"warning: so do matrices of {counted(more, 'more model', 'more models')}"
    return [*lines[:_MAX_WARNINGS], *([rest] if more > 0 else [])]


def _who(model: RankedModel) -> str:
    return f"{model.ref.label} {'is first' if model.rank == 1 else 'could be first'}, but its "


def pair_notes(ranking: Ranking) -> list[str]:
    """A sentence per pair of neighbours in rank; none if there are more than a few pairs."""
    by_refs = {(id(pair.ahead), id(pair.behind)): pair for pair in ranking.pairs}
    neighbours = pairwise(model.ref for model in ranking.models if model.status == "ranked")
    found = [by_refs.get((id(first), id(second))) for first, second in neighbours]
    pairs = [pair for pair in found if pair is not None]
    return [pair_sentence(pair, _label(ranking)) for pair in pairs] if len(pairs) <= _MAX_PAIRS else []


def pair_sentence(pair: Pair, label: str) -> str:
    """Which model is ahead, by how much, over how many matrices, and how often chance does as much."""
    found = pair.difference
    verb = "can't be told from" if found.tied else "is ahead of"
    over = f"{found.pairs} pairs of matrices" if found.pairs else "the layers of each"
    ends = f"{figure(found.lo)} to {figure(found.hi)}" if isfinite(found.hi - found.lo) else "too few for an interval"
    lost = ""
    if found.lost:
        bounds = f"{figure(found.lowest)} to {figure(found.highest)}"
        noun = "matrix" if found.lost == 1 else "matrices"
        lost = f"; with the {found.lost} {noun} that only one has, at worst and best, {bounds}"
    return (
        f"{pair.ahead.label} {verb} {pair.behind.label}: {label} differs by {figure(found.value)} "
        f"({ends} over {over}{lost}{_chance(found)})"
    )


def _chance(found: Difference) -> str:
    """The p-value of a difference, and what Holm's correction makes of it."""
    if not isfinite(found.p):
        return ""
    corrected = f", {figure(found.p_holm)} with Holm's correction" if found.p_holm != found.p else ""
    return f"; p {figure(found.p)}{corrected}"


def _label(ranking: Ranking) -> str:
    return ranking.preset.label(ranking.by.name)


def _ties(ranking: Ranking) -> list[str]:
    if len(ranking.pairs) < 2:
        return pair_notes(ranking)
    tied = sum(pair.difference.tied for pair in ranking.pairs)
    return [
        f"{tied} of {len(ranking.pairs)} pairs within a family are tied over their layers, with Holm's correction"
    ]


def _by_family(ranking: Ranking) -> dict[str | int, list[RankedModel]]:
    families: dict[str | int, list[RankedModel]] = {}
    for model in ranking.models:
        if model.status == "ranked":
            families.setdefault("" if ranking.across_families else model.family or id(model), []).append(model)
    return families


def _sizes(ranking: Ranking, members: Sequence[RankedModel]) -> list[str]:
    """How a ranking agrees with size and depth: one that orders models alike may add nothing beyond them."""
    scores = [model.score for model in members if model.score is not None]
    values = np.array([score.summary.headline(ranking.by.name, ranking.preset) for score in scores])
    notes = []
    for what, sizes, shown in (
        ("parameters", [score.parameters for score in scores if score.parameters is not None], size),
        ("layers", [score.architecture.depth for score in scores], str),
    ):
        if len(sizes) < len(scores):
            continue
        low, high = min(sizes), max(sizes)
        if high <= low * 1.1 or len(scores) < 2:
            continue
        name = f"{members[0].family}: " if members[0].family and len(ranking.families) > 1 else ""
        tau = kendall_tau_b(values, np.array(sizes, float)) if len(scores) >= _MIN_MODELS else None
        agreement = f"; its tau with them is {tau:+.2f} over {len(scores)} models" if tau is not None else ""
        span = f"{shown(low)} to {shown(high)} {what}"
        notes.append(f"{name}the models have {span}, which alone moves {_label(ranking)}{agreement}")
    return notes


def _coverage(ranking: Ranking) -> list[str]:
    """The share of the weights that the ranks rest on, and how many models have no rank."""
    summaries = [model.score.summary for model in ranking.models if model.status == "ranked" and model.score]
    notes = []
    if summaries:
        covered = [summary.coverage for summary in summaries]
        span = f"{min(covered):.1%}" if min(covered) == max(covered) else f"{min(covered):.1%} to {max(covered):.1%}"
        missing = sum(summary.n_matrices - summary.n_fitted for summary in summaries)
        without = f"; {missing} of them {'has' if missing == 1 else 'have'} no fit" if missing else ""
        matrices = sum(summary.n_matrices for summary in summaries)
        notes.append(f"coverage: {span} of the weights that belong in the averages, in {matrices} matrices{without}")
    statuses = Counter(model.status for model in ranking.models if model.status != "ranked")
    if summaries and statuses:
        counts = ", ".join(f"{count} {status}" for status, count in statuses.items())
        notes.append(f"models without a rank: {counts}")
    return notes


def _caveat(ranking: Ranking) -> list[str]:
    """The known failures of the metric; empty if no model is ranked."""
    ranked = any(model.status == "ranked" for model in ranking.models)
    return [f"known failures of {_label(ranking)}: {ranking.by.caveat}"] if ranked else []


def _verdicts(ranking: Ranking) -> list[str]:
    """How many of the matrices behind the ranks have each verdict."""
    scores = [model.score for model in ranking.models if model.status == "ranked" and model.score]
    verdicts = Counter(row.verdict for score in scores for row in belonging_rows(score.layers, score.preset))
    others = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common() if verdict != "ok")
    matrices = sum(verdicts.values())
    if not matrices:
        return []
    return [f"{verdicts['ok']} of {matrices} matrices behind the ranks have the verdict ok{others and f'; {others}'}"]
