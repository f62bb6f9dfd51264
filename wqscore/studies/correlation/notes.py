"""Warnings and notes that go with a table of correlations."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.escaping import listed
from wqscore.ranking.rank_correlation import EXACT_UP_TO, PERMUTATIONS, least_telling_tau
from wqscore.rendering.numbers import figure
from wqscore.studies.correlation.correlate import Correlations
from wqscore.studies.correlation.row import LEVEL, CorrelationRow
from wqscore.studies.correlation.simpson import SignFlip

#: How many names a note lists.
_MAX_NAMES = 5


def correlation_notes(found: Correlations) -> list[str]:
    """Warnings first, then the limits of so few models and so many tests, then what was left out."""
    return [
        *(_flip(flip, found.group or "") for flip in found.flips),
        *_open(found.open_flips, found.group or ""),
        *_few(found),
        *_many(found),
        *_size(found),
        f"p: two-sided, from all orders up to {EXACT_UP_TO} models, else from {PERMUTATIONS:,} random ones, seed "
        f"{found.seed}, and then never below {1 / (1 + PERMUTATIONS):g}; p and "
        "intervals take models for independent draws, which models of one family are not",
        *_without_figure(found),
        *_left_out(found),
    ]


def _flip(flip: SignFlip, group: str) -> str:
    pooled = flip.pooled
    others = ", ".join(f"{row.group} {_tau(row)}" for row in flip.flipped[:_MAX_NAMES])
    more = f" and {len(flip.flipped) - _MAX_NAMES} more" if len(flip.flipped) > _MAX_NAMES else ""
    return (
        f"warning: {pooled.x} changes sign (Simpson's paradox): tau {_tau(pooled)} over all, the other way in "
        f"{len(flip.flipped)} of {flip.groups} groups by {group}, {others}{more}: trust the pooled figure in no group"
    )


def _open(flips: Sequence[SignFlip], group: str) -> list[str]:
    if not flips:
        return []
    named = [f"{flip.pooled.x} ({len(flip.flipped)} of {flip.groups})" for flip in flips]
    return [
        f"can't tell whether these change sign by {group}: some groups have the other sign, but no more of them, nor "
        f"more clearly, than chance gives: {listed(named, _MAX_NAMES)}"
    ]


def _tau(row: CorrelationRow) -> str:
    assert row.correlation is not None
    return f"{row.correlation.tau.value:+z.2f} (n {row.n}, p {row.correlation.tau.p:.2g})"


def _few(found: Correlations) -> list[str]:
    most = max((row.n for row in found.tested), default=0)
    least = least_telling_tau(most)
    if least is None:
        return [f"{most} models are too few for an interval: these figures show next to nothing"] if most else []
    return [f"with {most} models no |tau| below {least:.2f} can be told from 0 (95 %)"]


def _many(found: Correlations) -> list[str]:
    tests = len(found.tested)
    if tests < 2:
        return []
    p, best = min(((row.correlation.tau.p, row) for row in found.tested if row.correlation), key=lambda pair: pair[0])
    return [
        f"{_counted(len(found.tried), 'metric')} tried, {tests} taus: about {figure(LEVEL * tests)} of them would "
        f"have p < {LEVEL} by chance alone; the smallest p, {p:.2g} ({best.x}, {best.group or 'all'}, n {best.n}), "
        f"is {min(1.0, p * tests):.2g} after Bonferroni"
    ]


def _size(found: Correlations) -> list[str]:
    unknown = "the number of parameters is not in the tables (--params): size may explain any of this"
    names = found.baselines
    role = "is the baseline" if len(names) == 1 else "are the baselines"
    baseline = f"{' and '.join(names)} {role}: a metric that does no better adds nothing beyond model size"
    return [*([] if found.params else [unknown]), *([baseline] if names else [])]


def _without_figure(found: Correlations) -> list[str]:
    """A line per reason for a missing correlation, with the groups and metrics that it applies to."""
    reasons: dict[str, dict[str, None]] = {}
    for row in found.rows:
        if row.reason:
            name = f"{row.x} over all" if row.group is None else row.group
            reasons.setdefault(row.reason, {})[name] = None
    return [f"no correlation for {listed(list(names), _MAX_NAMES)}: {reason}" for reason, names in reasons.items()]


def _left_out(found: Correlations) -> list[str]:
    joined = found.joined
    lines = [
        f"left out, {why}: {listed(names, _MAX_NAMES)}"
        for why, names in (
            (f"not in {joined.known.source}", joined.only_in_scores),
            (f"not in {joined.scores.source}", joined.only_in_known),
            ("without a rank", joined.without_rank),
        )
        if names
    ]
    if found.ungrouped:
        lines.append(f"{_counted(found.ungrouped, 'model')} without {found.group}: in no group")
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
