"""The matrices of a model that are worth looking at first, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from wqscore.rendering.numbers import figure
from wqscore.scoring.layer_score import RANDOM_SCALED, LayerScore
from wqscore.scoring.model_score import ModelScore

#: The columns of the table.
LOOK_COLUMNS = ["why", "matrix", "alpha"]
#: The usual range of trained layers' alpha.
_USUAL = (2.0, 6.0)
#: An interval is wide if it is more than this many times the model's median width.
_WIDE = 2.0
#: Problems from the most serious (0) on; a matrix too small for a fit is not one.
_SEVERITY: Mapping[str, int] = {
    name: severity
    for severity, name in enumerate(("non-finite", "zero", "damage", "random", "degenerate", "trap", "no-power-law"))
}
_MINOR = len(_SEVERITY)


@dataclass(frozen=True)
class WorthChecking:
    """A matrix worth looking at.

    Attributes:
        row: the matrix.
        reasons: why, the most serious first.
    """

    row: LayerScore
    reasons: tuple[str, ...]


def worth_checking(score: ModelScore) -> list[WorthChecking]:
    """Matrices with a verdict other than ok, damage, an extreme alpha or a wide interval.

    Most serious first: damage, then fits that mean nothing, then unstable ones and extremes; among equals, the
    alpha furthest from the model's median first.
    """
    alphas = {id(row): row.fit.alpha for row in score.layers if row.fit}
    middle = float(np.median(list(alphas.values()))) if alphas else 0.0
    widths = [width for width in map(_width, score.layers) if isfinite(width)]
    usual_width = float(np.median(widths)) if widths else float("inf")
    found = []
    for row in score.layers:
        if row.verdict == "too-small":
            continue
        reasons = _reasons(row, usual_width)
        if reasons:
            far = abs(alphas.get(id(row), middle) - middle)
            found.append(((reasons[0][0], -far), WorthChecking(row, tuple(text for _, text in reasons))))
    return [look for _, look in sorted(found, key=lambda each: each[0])]


def worth_checking_rows(looks: Sequence[WorthChecking]) -> list[list[str]]:
    """A row per matrix."""
    return [
        [", ".join(look.reasons), look.row.matrix.name, figure(look.row.fit.alpha if look.row.fit else None)]
        for look in looks
    ]


def _reasons(row: LayerScore, usual_width: float) -> list[tuple[int, str]]:
    """The problems of a matrix, each with its severity, the most serious (lowest number) first."""
    reasons: list[tuple[int, str]] = []
    if row.verdict != "ok":
        reasons.append((_SEVERITY.get(row.verdict, _MINOR), row.verdict))
    # Only flags of damaged rows or columns count; flags of a matrix's kind, or of a scale below 1, are harmless.
    reasons += [(_SEVERITY["damage"], flag) for flag in row.flags if flag.endswith(("-rows", "-columns"))]
    if RANDOM_SCALED in row.flags:
        reasons.append((_SEVERITY["random"], RANDOM_SCALED))
    if row.fit and not _USUAL[0] <= row.fit.alpha <= _USUAL[1]:
        reasons.append((_MINOR, f"alpha {'below 2' if row.fit.alpha < _USUAL[0] else 'above 6'}"))
    if isfinite(_width(row)) and _width(row) > _WIDE * usual_width:
        reasons.append((_MINOR, "wide interval"))
    return sorted(reasons, key=lambda reason: reason[0])


def _width(row: LayerScore) -> float:
    """The width of alpha's interval; NaN without one."""
    return row.metrics.get("alpha_hi", float("nan")) - row.metrics.get("alpha_lo", float("nan"))
